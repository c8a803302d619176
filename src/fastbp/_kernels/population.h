/* Products where each lane of a vector has matrices of its own: those of one network of a population (population.pxi).
 *
 * All numbers of a network's matrices stand in its lane, so an element of a matrix is a vector here, and nothing is
 * ever broadcast, transposed or added up across lanes. Distances are in numbers.
 */
#ifndef FASTBP_POPULATION_H
#define FASTBP_POPULATION_H

#include "simd.h"

/* Rows of `numbers` numbers, one of each lane's own choice, into vectors: number i of sample s goes to
 * to[i * to_number + s * to_sample]. Lane k takes the rows that orders[k * m + s] names, or if that is null the s-th ones,
 * from at[k] on. `numbers` is a multiple of LANE. */
NO_INLINE void gather_rows(ptrdiff_t samples, ptrdiff_t numbers, const real *const *at, const uint32_t *orders,
                           ptrdiff_t m, real *to, ptrdiff_t to_number, ptrdiff_t to_sample)
{
    for (ptrdiff_t s = 0; s < samples; s++, to += to_sample) {
        const real *rows[VLEN];
        UNROLL for (int k = 0; k < VLEN; k++)
            rows[k] = at[k] + (orders ? (ptrdiff_t)orders[k * m + s] : s) * numbers;
        for (ptrdiff_t i = 0; i < numbers; i += LANE) {
            vec r[LANE];
            UNROLL for (int q = 0; q < LANE; q++)
                r[q] = v_load_each(rows + q, LANE, i);
            v_transpose_lanes(r);
            UNROLL for (int q = 0; q < LANE; q++)
                v_store(to + (i + q) * to_number, r[q]);
        }
    }
}

/* A tile of sums must leave registers for the operands: of 32 with AVX-512 and NEON, else of 16. */
#define POPULATION_ROWS 4
#if FASTBP_LEVEL == 4 || defined(__aarch64__) || defined(_M_ARM64)
#define POPULATION_COLUMNS 4
#else
#define POPULATION_COLUMNS 2
#endif

/* Element [i, j] is at[i * row + j * column]. */
typedef struct {
    const real *at;
    ptrdiff_t row, column;
} lane_matrix;

/* rows and columns are constants at every call. */
FORCE_INLINE void lane_tile(const int rows, const int columns, ptrdiff_t depth, lane_matrix a, lane_matrix b,
                            lane_matrix init, real *c, ptrdiff_t c_row, ptrdiff_t c_column)
{
    vec acc[POPULATION_ROWS * POPULATION_COLUMNS];
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int j = 0; j < columns; j++)
            acc[i * columns + j] = v_load(init.at + i * init.row + j * init.column);
    for (; depth > 0; depth--, a.at += a.column, b.at += b.row) {
        vec b_vectors[POPULATION_COLUMNS];
        UNROLL for (int j = 0; j < columns; j++)
            b_vectors[j] = v_load(b.at + j * b.column);
        UNROLL for (int i = 0; i < rows; i++) {
            const vec a_vector = v_load(a.at + i * a.row);
            UNROLL for (int j = 0; j < columns; j++)
                acc[i * columns + j] = v_fma(a_vector, b_vectors[j], acc[i * columns + j]);
        }
    }
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int j = 0; j < columns; j++)
            v_store(c + i * c_row + j * c_column, acc[i * columns + j]);
}

/* C = init + A B. Few rows and many columns suit the tiles best. */
NO_INLINE void lane_product(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, lane_matrix a, lane_matrix b,
                            lane_matrix init, real *c, ptrdiff_t c_row, ptrdiff_t c_column)
{
#define LANE_STRIP(high) \
    do { \
        lane_matrix at = b, first = init; \
        real *to = c; \
        ptrdiff_t j = columns; \
        for (; j >= POPULATION_COLUMNS; j -= POPULATION_COLUMNS) { \
            lane_tile(high, POPULATION_COLUMNS, depth, a, at, first, to, c_row, c_column); \
            at.at += POPULATION_COLUMNS * b.column; \
            first.at += POPULATION_COLUMNS * init.column; \
            to += POPULATION_COLUMNS * c_column; \
        } \
        for (; j > 0; j--) { \
            lane_tile(high, 1, depth, a, at, first, to, c_row, c_column); \
            at.at += b.column; \
            first.at += init.column; \
            to += c_column; \
        } \
        a.at += high * a.row; \
        init.at += high * init.row; \
        c += high * c_row; \
    } while (0)
    for (; rows >= POPULATION_ROWS; rows -= POPULATION_ROWS)
        LANE_STRIP(POPULATION_ROWS);
    if (rows == 3) LANE_STRIP(3);
    else if (rows == 2) LANE_STRIP(2);
    else if (rows == 1) LANE_STRIP(1);
#undef LANE_STRIP
}

/* For on-line learning of `wide` groups of networks side by side: c[i, g] = init[i, g] + sum over k of w[i, k, g] a[k, g],
 * where the element of w is w.at[i * w.row + k * w.column]. The groups are what keeps the processor busy, because each
 * of them waits for its own chain. init.at: null for zero. */
FORCE_INLINE void wide_product(const int wide, ptrdiff_t rows, ptrdiff_t depth, lane_matrix w, const real *a,
                               lane_matrix init, real *c)
{
    for (; rows > 0; rows--, c += wide * VLEN) {
        const real *at = w.at, *input = a;
        vec acc[4];
        UNROLL for (int g = 0; g < wide; g++)
            acc[g] = init.at ? v_load(init.at + g * VLEN) : v_zero();
        for (ptrdiff_t k = depth; k > 0; k--, at += w.column, input += wide * VLEN)
            UNROLL for (int g = 0; g < wide; g++)
                acc[g] = v_fma(v_load(at + g * VLEN), v_load(input + g * VLEN), acc[g]);
        UNROLL for (int g = 0; g < wide; g++)
            v_store(c + g * VLEN, acc[g]);
        w.at += w.row;
        if (init.at) init.at += init.row;
    }
}

/* sums[g] += the squares of n numbers a[i, g] */
FORCE_INLINE void wide_squares(const int wide, ptrdiff_t n, const real *a, vec *sums)
{
    vec acc[4];
    UNROLL for (int g = 0; g < wide; g++)
        acc[g] = sums[g];
    for (; n > 0; n--, a += wide * VLEN)
        UNROLL for (int g = 0; g < wide; g++)
            acc[g] = v_fma(v_load(a + g * VLEN), v_load(a + g * VLEN), acc[g]);
    UNROLL for (int g = 0; g < wide; g++)
        sums[g] = acc[g];
}

/* d = h (y - t), of n outputs; the squares of y - t are added to the sums. */
FORCE_INLINE void wide_errors(const int wide, ptrdiff_t n, const real *y, const real *t, const vec *h, real *d, vec *sums)
{
    for (; n > 0; n--, y += wide * VLEN, t += wide * VLEN, d += wide * VLEN)
        UNROLL for (int g = 0; g < wide; g++) {
            const vec difference = v_sub(v_load(y + g * VLEN), v_load(t + g * VLEN));
            sums[g] = v_fma(difference, difference, sums[g]);
            v_store(d + g * VLEN, v_mul(h[g], difference));
        }
}

/* Of the mask, only the lanes whose size is below the bound; whether these are all of them. */
FORCE_INLINE int wide_permit(const int wide, const vec *sizes, real bound, vec *mask)
{
    int all = 1;
    UNROLL for (int g = 0; g < wide; g++) {
        const vmask below = v_lt(sizes[g], v_set1(bound));
        all &= v_all(below);
        mask[g] = v_and(mask[g], v_select(below, v_first_lanes(VLEN), v_zero()));
    }
    return all;
}

/* a[i, g], of n numbers, becomes 0 where the mask has no bits. */
FORCE_INLINE void wide_mask(const int wide, ptrdiff_t n, const vec *mask, real *a)
{
    for (; n > 0; n--, a += wide * VLEN)
        UNROLL for (int g = 0; g < wide; g++)
            v_store(a + g * VLEN, v_and(mask[g], v_load(a + g * VLEN)));
}

/* w[i, j, g] -= a[i, g] d[j, g], and for the bias, which is the row after the last, d itself. */
FORCE_INLINE void wide_descent(const int wide, ptrdiff_t rows, ptrdiff_t columns, const real *a, const real *d, real *w)
{
    for (ptrdiff_t j = 0; j < columns; j++, d += wide * VLEN, w += wide * VLEN) {
        vec delta[4];
        const real *input = a;
        real *at = w;
        UNROLL for (int g = 0; g < wide; g++)
            delta[g] = v_load(d + g * VLEN);
        for (ptrdiff_t i = rows; i > 0; i--, at += columns * wide * VLEN, input += wide * VLEN)
            UNROLL for (int g = 0; g < wide; g++)
                v_store(at + g * VLEN, v_fnma(v_load(input + g * VLEN), delta[g], v_load(at + g * VLEN)));
        UNROLL for (int g = 0; g < wide; g++)
            v_store(at + g * VLEN, v_sub(v_load(at + g * VLEN), delta[g]));
    }
}
#endif
