/* Products where each lane of a vector has matrices of its own: those of one network of a population (population.pxi).
 *
 * All numbers of a network's matrices stand in its lane, so an element of a matrix is a vector here, and nothing is
 * ever broadcast, transposed or added up across lanes. Distances are in numbers.
 */
#ifndef FASTBP_POPULATION_H
#define FASTBP_POPULATION_H

#include "simd.h"

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
                            lane_matrix init, real *c, ptrdiff_t c_row)
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
            v_store(c + i * c_row + j * VLEN, acc[i * columns + j]);
}

/* C = init + A B; the columns of C stand side by side. */
NO_INLINE void lane_product(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, lane_matrix a, lane_matrix b,
                            lane_matrix init, real *c, ptrdiff_t c_row)
{
#define LANE_STRIP(wide) \
    do { \
        lane_matrix at = a, first = init; \
        real *to = c; \
        ptrdiff_t i = rows; \
        for (; i >= POPULATION_ROWS; i -= POPULATION_ROWS) { \
            lane_tile(POPULATION_ROWS, wide, depth, at, b, first, to, c_row); \
            at.at += POPULATION_ROWS * a.row; \
            first.at += POPULATION_ROWS * init.row; \
            to += POPULATION_ROWS * c_row; \
        } \
        for (; i > 0; i--) { \
            lane_tile(1, wide, depth, at, b, first, to, c_row); \
            at.at += a.row; \
            first.at += init.row; \
            to += c_row; \
        } \
        b.at += wide * b.column; \
        init.at += wide * init.column; \
        c += wide * VLEN; \
    } while (0)
    for (; columns >= POPULATION_COLUMNS; columns -= POPULATION_COLUMNS)
        LANE_STRIP(POPULATION_COLUMNS);
    for (; columns > 0; columns--)
        LANE_STRIP(1);
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
