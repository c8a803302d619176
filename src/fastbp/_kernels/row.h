/* Products of a matrix with a single row: on-line learning and the prediction of one sample, where no other rows share
 * what is loaded. Both run over the rows of W as they stand, so nothing is transposed or packed for one sample.
 */
#ifndef FASTBP_ROW_H
#define FASTBP_ROW_H

#include "simd.h"

/* sums[v] = vector v of init + a B, nv vectors of it: four chains of sums in all, because a fused multiply-add can start
 * twice a cycle but takes four cycles. init: null for zero. */
FORCE_INLINE void row_sums(const int nv, ptrdiff_t depth, const real *a, const real *b, ptrdiff_t b_row,
                           const real *init, vec *sums)
{
    const int chains = 4 / nv;
    vec acc[4];
    UNROLL for (int v = 0; v < 4; v++)
        acc[v] = v < nv && init ? v_load(init + v * VLEN) : v_zero();
    ptrdiff_t p = 0;
    for (; p + chains <= depth; p += chains) {
        UNROLL for (int k = 0; k < chains; k++) {
            const vec a_scalar = v_set1(a[p + k]);
            UNROLL for (int v = 0; v < nv; v++)
                acc[k * nv + v] = v_fma(a_scalar, v_load(b + k * b_row + v * VLEN), acc[k * nv + v]);
        }
        b += chains * b_row;
    }
    if (p && nv == 1) {
        acc[0] = v_add(acc[0], acc[2]);
        acc[1] = v_add(acc[1], acc[3]);
        acc[0] = v_add(acc[0], acc[1]);
    } else if (p && nv == 2) {
        acc[0] = v_add(acc[0], acc[2]);
        acc[1] = v_add(acc[1], acc[3]);
    }
    for (; p < depth; p++, b += b_row)
        UNROLL for (int v = 0; v < nv; v++)
            acc[v] = v_fma(v_set1(a[p]), v_load(b + v * VLEN), acc[v]);
    UNROLL for (int v = 0; v < nv; v++)
        sums[v] = acc[v];
}

/* The next 4, 2 or 1 vectors of init + a B for one row a; returns how many. */
FORCE_INLINE int row_vectors(ptrdiff_t vectors, ptrdiff_t depth, const real *a, const real *b, ptrdiff_t b_row,
                             const real *init, vec *sums)
{
    if (vectors >= 4) {
        row_sums(4, depth, a, b, b_row, init, sums);
        return 4;
    }
    if (vectors >= 2) {
        row_sums(2, depth, a, b, b_row, init, sums);
        return 2;
    }
    row_sums(1, depth, a, b, b_row, init, sums);
    return 1;
}

/* W less x^T d and b less d, for nv vectors of both; sums = next W + b by the new ones: a single pass over W. Even and
 * odd rows have a chain of sums each. */
FORCE_INLINE void row_descend(const int nv, ptrdiff_t depth, const real *x, const real *next, const vec *d, real *w,
                              ptrdiff_t w_row, real *b, vec *sums)
{
    vec even[2], odd[2];
    UNROLL for (int v = 0; v < nv; v++) {
        even[v] = v_sub(v_load(b + v * VLEN), d[v]);
        odd[v] = v_zero();
        v_store(b + v * VLEN, even[v]);
    }
    for (ptrdiff_t i = 0; i < depth; i++, w += w_row) {
        UNROLL for (int v = 0; v < nv; v++) {
            const vec updated = v_fnma(v_set1(x[i]), d[v], v_load(w + v * VLEN));
            v_store(w + v * VLEN, updated);
            even[v] = v_fma(v_set1(next[i]), updated, even[v]);
        }
        if (++i == depth) break;
        w += w_row;
        UNROLL for (int v = 0; v < nv; v++) {
            const vec updated = v_fnma(v_set1(x[i]), d[v], v_load(w + v * VLEN));
            v_store(w + v * VLEN, updated);
            odd[v] = v_fma(v_set1(next[i]), updated, odd[v]);
        }
    }
    UNROLL for (int v = 0; v < nv; v++)
        sums[v] = v_add(even[v], odd[v]);
}

/* Lane k: the dot product of row k of B with d, for the first `rows` <= VLEN rows; zero in the other lanes. */
FORCE_INLINE vec row_dots(ptrdiff_t rows, ptrdiff_t vectors, const real *b, ptrdiff_t b_row, const real *d)
{
    vec sums[VLEN];
    UNROLL for (int k = 0; k < VLEN; k++)
        sums[k] = v_zero();
    if (rows >= VLEN) {
        for (ptrdiff_t v = 0; v < vectors; v++) {
            const vec d_vector = v_load(d + v * VLEN);
            UNROLL for (int k = 0; k < VLEN; k++)
                sums[k] = v_fma(v_load(b + k * b_row + v * VLEN), d_vector, sums[k]);
        }
    } else {
        for (ptrdiff_t k = 0; k < rows; k++)
            for (ptrdiff_t v = 0; v < vectors; v++)
                sums[k] = v_fma(v_load(b + k * b_row + v * VLEN), v_load(d + v * VLEN), sums[k]);
    }
    return v_sums(sums);
}

/* The same for a B that has VLEN rows, those from n on zero, and in groups of rows: half of an AVX-512 vector's work where
 * eight outputs are wanted of sixteen. */
FORCE_INLINE vec column_dots(ptrdiff_t n, ptrdiff_t vectors, const real *b, ptrdiff_t b_row, const real *d)
{
    vec sums[VLEN / LANE];
    UNROLL for (int group = 0; group < VLEN / LANE; group++) {
        sums[group] = v_zero();
        if (group * LANE < n) {
            vec part[LANE];
            UNROLL for (int k = 0; k < LANE; k++)
                part[k] = v_zero();
            for (ptrdiff_t v = 0; v < vectors; v++)
                UNROLL for (int k = 0; k < LANE; k++)
                    part[k] = v_fma(v_load(b + (group * LANE + k) * b_row + v * VLEN), v_load(d + v * VLEN), part[k]);
            sums[group] = v_lane_sums(part);
        }
    }
    return v_join_sums(sums);
}
#endif
