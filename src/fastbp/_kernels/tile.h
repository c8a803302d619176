/* The micro-kernel of every matrix product: C[i, j] = init[i, j] + sum over p of A[i, p] * B[p, j].
 *
 * A tile of mr rows and nv vectors of C stays in registers while p runs; each step loads nv vectors of B and spreads
 * mr scalars of A over them. A is read by two strides, so the same loop serves
 *     forward   net inputs   R = X W + b       A = X           B = W      init = b, for every row
 *     delta     error signal E = D W^T         A = D           B = W^T
 *     gradient               G = X^T D         A = X^T         B = D      init = G where batches add up
 * mr and nv are constants at every call: the compiler unrolls the loops and keeps acc in registers. It is C, because
 * the same lines written in Cython ran 5 % slower (docs/architecture.md).
 */
#ifndef FASTBP_TILE_H
#define FASTBP_TILE_H

#include "simd.h"

/* The tallest tile and its width: as many accumulators as leave registers for one row of B and one scalar of A. */
#if defined(__aarch64__) || defined(_M_ARM64)
#define TILE_ROWS 8
#define TILE_VECTORS 3
#elif FASTBP_LEVEL == 4
#define TILE_ROWS 12
#define TILE_VECTORS 2
#elif FASTBP_LEVEL == 3
#define TILE_ROWS 6
#define TILE_VECTORS 2
#else
#define TILE_ROWS 3
#define TILE_VECTORS 3
#endif

/* A packed block of B: its rows, and the bytes of each. A smaller B is read where it stands. */
#define PACK_DEPTH 256
#define PACK_BYTES 2048
#define SMALL_BYTES (256 * 1024)
/* That block, and a strip of A with what vectors write beyond its end. */
#define PACKED_BLOCK (PACK_DEPTH * PACK_BYTES / (ptrdiff_t)sizeof(real))
#define PACKED_STRIP (TILE_ROWS * (PACK_DEPTH + 2 * VLEN))

/* Element [i, j] is at[i * row + j * column]. */
typedef struct {
    const real *at;
    ptrdiff_t row, column;
} matrix;

/* What stands row after row, `stride` apart, and its transpose. */
FORCE_INLINE matrix rows_of(const real *at, ptrdiff_t stride) { return (matrix){at, stride, 1}; }
FORCE_INLINE matrix columns_of(const real *at, ptrdiff_t stride) { return (matrix){at, 1, stride}; }
/* The part from row i and column j on; null stays null. */
FORCE_INLINE matrix part_of(matrix a, ptrdiff_t i, ptrdiff_t j)
{
    if (a.at) a.at += i * a.row + j * a.column;
    return a;
}

/* The columns of B, init and C are 1 apart. init.at: null for zero. */
FORCE_INLINE void tile(const int mr, const int nv, ptrdiff_t depth, matrix a, matrix b, matrix init,
                       real *c, ptrdiff_t c_row)
{
    vec acc[TILE_ROWS][TILE_VECTORS];
    UNROLL for (int i = 0; i < mr; i++)
        UNROLL for (int v = 0; v < nv; v++)
            acc[i][v] = init.at ? v_load(init.at + i * init.row + v * VLEN) : v_zero();
    /* Offsets of twelve rows are more than there are registers: the lower half of the rows has its own pointer. */
    const int half = mr > 8 ? mr / 2 : mr;
    const real *a_upper = a.at, *a_lower = a.at + half * a.row;
    for (ptrdiff_t p = 0; p < depth; p++) {
        vec b_vectors[TILE_VECTORS];
        UNROLL for (int v = 0; v < nv; v++)
            b_vectors[v] = v_load(b.at + v * VLEN);
        UNROLL for (int i = 0; i < mr; i++) {
            const vec a_scalar = v_set1(i < half ? a_upper[i * a.row] : a_lower[(i - half) * a.row]);
            UNROLL for (int v = 0; v < nv; v++)
                acc[i][v] = v_fma(a_scalar, b_vectors[v], acc[i][v]);
        }
        a_upper += a.column;
        a_lower += a.column;
        b.at += b.row;
    }
    UNROLL for (int i = 0; i < mr; i++)
        UNROLL for (int v = 0; v < nv; v++)
            v_store(c + i * c_row + v * VLEN, acc[i][v]);
}

/* mr rows of C over any number of vectors. B is read panel by panel, TILE_VECTORS vectors wide and b_panel apart. */
FORCE_INLINE void strip(const int mr, ptrdiff_t vectors, ptrdiff_t depth, matrix a, matrix b, ptrdiff_t b_panel,
                        matrix init, real *c, ptrdiff_t c_row)
{
#define STRIP_STEP(nv) tile(mr, nv, depth, a, b, init, c, c_row)
    for (; vectors >= TILE_VECTORS; vectors -= TILE_VECTORS) {
        STRIP_STEP(TILE_VECTORS);
        b.at += b_panel;
        c += TILE_VECTORS * VLEN;
        init = part_of(init, 0, TILE_VECTORS * VLEN);
    }
#if TILE_VECTORS == 3
    if (vectors == 2) STRIP_STEP(2);
#endif
    if (vectors == 1) STRIP_STEP(1);
#undef STRIP_STEP
}

/* `wide` vectors of columns of the transpose of w, `depth` rows: row p of the result, at out + p * out_row, is column p
 * of w; its element j stands in row j of w. Rows of w are read 128 bits at a time. */
FORCE_INLINE void transpose_vectors(int wide, ptrdiff_t depth, const real *w, ptrdiff_t w_row,
                                    real *out, ptrdiff_t out_row)
{
    for (ptrdiff_t p = 0; p < depth; p += LANE)
        for (int v = 0; v < wide; v++) {
            vec r[LANE];
            UNROLL for (int k = 0; k < LANE; k++)
                r[k] = v_load_lanes(w + (v * VLEN + k) * w_row + p, LANE * w_row);
            v_transpose_lanes(r);
            UNROLL for (int k = 0; k < LANE; k++)
                v_store(out + (p + k) * out_row + v * VLEN, r[k]);
        }
}
#endif
