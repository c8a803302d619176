# Matrix products on padded rows, all of them by the micro-kernel of tile.h.

cdef inline ptrdiff_t padded(ptrdiff_t n) noexcept nogil:
    """n rounded up to whole vectors."""
    return (n + VLEN - 1) // VLEN * VLEN


cdef void multiply_block(ptrdiff_t m, ptrdiff_t vectors, ptrdiff_t depth,
                         const real* a, ptrdiff_t a_row, ptrdiff_t a_col, const real* b, ptrdiff_t b_row,
                         const real* init, ptrdiff_t init_row, real* c, ptrdiff_t c_row) noexcept nogil:
    """C = init + A B in strips of rows; the last strips are evened out, for a strip of one row is slow."""
    cdef ptrdiff_t rows, left = m
    while left > 0:
        if left == TILE_ROWS or 2 * left >= 3 * TILE_ROWS:
            rows = TILE_ROWS
            strip(TILE_ROWS, vectors, depth, a, a_row, a_col, b, b_row, init, init_row, c, c_row)
        elif TILE_ROWS > 8 and left >= 8:
            rows = 8
            strip(8, vectors, depth, a, a_row, a_col, b, b_row, init, init_row, c, c_row)
        elif TILE_ROWS > 4 and left >= 4:
            rows = 4
            strip(4, vectors, depth, a, a_row, a_col, b, b_row, init, init_row, c, c_row)
        elif left >= 2:
            rows = 2
            strip(2, vectors, depth, a, a_row, a_col, b, b_row, init, init_row, c, c_row)
        else:
            rows = 1
            strip(1, vectors, depth, a, a_row, a_col, b, b_row, init, init_row, c, c_row)
        a += rows * a_row
        c += rows * c_row
        if init != NULL:
            init += rows * init_row
        left -= rows


cdef void multiply(ptrdiff_t m, ptrdiff_t vectors, ptrdiff_t depth, const real* a, ptrdiff_t a_row, ptrdiff_t a_col,
                   const real* b, ptrdiff_t b_row, const real* init, ptrdiff_t init_row,
                   real* c, ptrdiff_t c_row, real* packed) noexcept nogil:
    """C[i, j] = init[i, j] + sum over p of A[i, p] B[p, j]; m rows, `vectors` vectors of columns.

    A large B is copied, block by block, into `packed`, where the rows of a block follow each other: its own rows may
    lie pages apart, and each would cost a look-up in the page table for every strip.
    """
    cdef const real* block_init
    cdef ptrdiff_t p, q, j, deep, wide, pack_vectors = FASTBP_PACK_BYTES // V_BYTES
    REQUIRE(m >= 0 and depth >= 0 and vectors > 0)
    REQUIRE(m <= 1 or c_row >= vectors * VLEN)      # rows of whole vectors must not run into each other
    if m < 16 or depth * vectors * V_BYTES <= FASTBP_PACK_DEPTH * FASTBP_PACK_BYTES:
        multiply_block(m, vectors, depth, a, a_row, a_col, b, b_row, init, init_row, c, c_row)
        return
    p = 0
    while p < depth:
        deep = min(depth - p, FASTBP_PACK_DEPTH)
        j = 0
        while j < vectors:
            wide = min(vectors - j, pack_vectors)
            for q in range(deep):
                memcpy(packed + q * wide * VLEN, b + (p + q) * b_row + j * VLEN, wide * V_BYTES)
            block_init = init
            if init != NULL:
                block_init += j * VLEN
            multiply_block(m, wide, deep, a + p * a_col, a_row, a_col, packed, wide * VLEN, block_init, init_row,
                           c + j * VLEN, c_row)
            j += wide
        p += deep
        # What follows adds to what is there.
        init = c
        init_row = c_row


cdef void multiply_row(ptrdiff_t vectors, ptrdiff_t depth, const real* a, const real* b, ptrdiff_t b_row,
                       const real* init, real* c) noexcept nogil:
    """c = init + a B for one row a, contiguous."""
    cdef vec sums[4]
    cdef int wide, v
    while vectors > 0:
        wide = row_vectors(vectors, depth, a, b, b_row, init, sums)
        for v in range(wide):
            v_store(c + v * VLEN, sums[v])
        b += wide * VLEN
        c += wide * VLEN
        if init != NULL:
            init += wide * VLEN
        vectors -= wide


cdef inline int row_vectors(ptrdiff_t vectors, ptrdiff_t depth, const real* a, const real* b, ptrdiff_t b_row,
                            const real* init, vec* sums) noexcept nogil:
    """The next 4, 2 or 1 vectors of init + a B for one row a; returns how many."""
    if vectors >= 4:
        row_sums(4, depth, a, b, b_row, init, sums)
        return 4
    if vectors >= 2:
        row_sums(2, depth, a, b, b_row, init, sums)
        return 2
    row_sums(1, depth, a, b, b_row, init, sums)
    return 1


cdef real dot(ptrdiff_t n, const real* x, const real* w) noexcept nogil:
    """The sum of x[j] w[j]; w goes on to a whole vector, with finite numbers."""
    cdef vec s0 = v_zero(), s1 = v_zero(), s2 = v_zero(), s3 = v_zero()
    cdef ptrdiff_t j = 0
    while j + 4 * VLEN <= n:
        s0 = v_fma(v_load(x + j), v_load(w + j), s0)
        s1 = v_fma(v_load(x + j + VLEN), v_load(w + j + VLEN), s1)
        s2 = v_fma(v_load(x + j + 2 * VLEN), v_load(w + j + 2 * VLEN), s2)
        s3 = v_fma(v_load(x + j + 3 * VLEN), v_load(w + j + 3 * VLEN), s3)
        j += 4 * VLEN
    while j < n:
        s0 = v_fma(v_load_first(x + j, n - j), v_load(w + j), s0)
        j += VLEN
    return v_sum(v_add(v_add(s0, s1), v_add(s2, s3)))


cdef void column_sums(ptrdiff_t m, ptrdiff_t vectors, const real* d, ptrdiff_t d_row, const real* init,
                      real* c) noexcept nogil:
    """c[j] = init[j] + the sum over i of D[i, j]."""
    cdef ptrdiff_t i, v
    cdef vec total
    for v in range(vectors):
        total = v_zero() if init == NULL else v_load(init + v * VLEN)
        for i in range(m):
            total = v_add(total, v_load(d + i * d_row + v * VLEN))
        v_store(c + v * VLEN, total)
