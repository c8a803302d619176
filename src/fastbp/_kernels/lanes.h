/* Dot products along the samples: the gradient where the samples stand along the lanes (lanes.pxi).
 *
 *     C[i, j] += sum over the samples s of A[i, s] D[j, s]
 *
 * A tile of C stays in registers as vectors, one sum a lane; each step loads one vector of each of its rows of A and D,
 * which all lie at fixed distances, and multiplies each of A with each of D. The lanes are added up only at the end of
 * the block. The tile is as large as the registers allow, for nearly two multiplications a load: on Zen 4, 90 % of the
 * peak with AVX-512 and with AVX2, where a tile of 4 by 2 reached 73 %.
 */
#ifndef FASTBP_LANES_H
#define FASTBP_LANES_H

#include "simd.h"

/* Samples of a panel, whose outputs of a layer stay in the first cache: neuron after neuron, so many numbers each. */
#define LANES PICK(32, 64)

#define DOT_ROWS 4
#if FASTBP_LEVEL == 4 || defined(__aarch64__) || defined(_M_ARM64)
#define DOT_COLUMNS 4
#else
#define DOT_COLUMNS 3
#endif

/* rows and columns are constants at every call. */
FORCE_INLINE void dot_tile(const int rows, const int columns, ptrdiff_t panels, const real *a, ptrdiff_t a_panel,
                           const real *d, ptrdiff_t d_panel, real *c, ptrdiff_t c_row)
{
    vec acc[DOT_ROWS * DOT_COLUMNS + VLEN];
    UNROLL for (int k = 0; k < rows * columns; k++)
        acc[k] = v_zero();
    for (; panels > 0; panels--, a += a_panel, d += d_panel)
        for (int s = 0; s < LANES; s += VLEN) {
            vec d_vectors[DOT_COLUMNS];
            UNROLL for (int j = 0; j < columns; j++)
                d_vectors[j] = v_load(d + j * LANES + s);
            UNROLL for (int i = 0; i < rows; i++) {
                const vec a_vector = v_load(a + i * LANES + s);
                UNROLL for (int j = 0; j < columns; j++)
                    acc[i * columns + j] = v_fma(a_vector, d_vectors[j], acc[i * columns + j]);
            }
        }
    real sums[DOT_ROWS * DOT_COLUMNS + VLEN];
    UNROLL for (int k = rows * columns; k % VLEN; k++)
        acc[k] = v_zero();
    UNROLL for (int k = 0; k < rows * columns; k += VLEN)
        v_store(sums + k, v_sums(acc + k));
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int j = 0; j < columns; j++)
            c[i * c_row + j] += sums[i * columns + j];
}

NO_INLINE void add_dots(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t panels, const real *a, ptrdiff_t a_panel,
                        const real *d, ptrdiff_t d_panel, real *c, ptrdiff_t c_row)
{
#define DOT_STRIP(wide) \
    do { \
        ptrdiff_t i = 0; \
        for (; i + DOT_ROWS <= rows; i += DOT_ROWS) \
            dot_tile(DOT_ROWS, wide, panels, a + i * LANES, a_panel, d, d_panel, c + i * c_row, c_row); \
        for (; i < rows; i++) \
            dot_tile(1, wide, panels, a + i * LANES, a_panel, d, d_panel, c + i * c_row, c_row); \
        c += wide; \
        d += wide * LANES; \
    } while (0)
    for (; columns >= DOT_COLUMNS; columns -= DOT_COLUMNS)
        DOT_STRIP(DOT_COLUMNS);
    for (; columns > 0; columns--)
        DOT_STRIP(1);
#undef DOT_STRIP
}
#endif
