# Matrix products on padded rows, all of them by the micro-kernel of tile.h.

cdef inline ptrdiff_t padded(ptrdiff_t n) noexcept nogil:
    """n rounded up to whole vectors."""
    return (n + VLEN - 1) // VLEN * VLEN


cdef void pack(ptrdiff_t columns, ptrdiff_t depth, matrix b, real* panels) noexcept nogil:
    """A block of B, whose rows or columns are contiguous, panel after panel as `strip` reads it; zeros fill up."""
    cdef ptrdiff_t wide, panel_row = TILE_VECTORS * VLEN, p, j
    while columns > 0:
        wide = min(columns, panel_row)
        if b.column == 1:
            # The rows of B are padded.
            for p in range(depth):
                for j in range((wide + VLEN - 1) // VLEN):
                    v_store(panels + p * panel_row + j * VLEN, v_load(b.at + p * b.row + j * VLEN))
        else:
            transpose_vectors(wide // VLEN, depth, b.at, b.column, panels, panel_row)
            for j in range(wide // VLEN * VLEN, padded(wide)):
                for p in range(depth):
                    panels[p * panel_row + j] = b.at[j * b.column + p] if j < wide else 0
        b.at += wide * b.column
        panels += depth * panel_row
        columns -= wide


cdef matrix pack_strip(ptrdiff_t rows, ptrdiff_t depth, matrix a, real* packed) noexcept nogil:
    """`rows` rows of A, copied along whichever of rows and columns is contiguous."""
    cdef ptrdiff_t p, i, row
    if a.column == 1:
        # One vector more: rows a power of two apart would fall into the same few lines of the cache.
        row = padded(depth) + VLEN
        for i in range(rows):
            memcpy(packed + i * row, a.at + i * a.row, depth * sizeof(real))
        return rows_of(packed, row)
    for p in range(depth):
        for i in range((rows + VLEN - 1) // VLEN):
            v_store(packed + p * rows + i * VLEN, v_load_first(a.at + p * a.column + i * VLEN, rows - i * VLEN))
    return columns_of(packed, rows)


cdef inline ptrdiff_t strip_rows(ptrdiff_t left) noexcept nogil:
    """The next strip's height; the last ones are evened out, because a strip of one row is slow."""
    if left == TILE_ROWS or 2 * left >= 3 * TILE_ROWS:
        return TILE_ROWS
    return 8 if TILE_ROWS > 8 and left >= 8 else 4 if TILE_ROWS > 4 and left >= 4 else 2 if left >= 2 else 1


cdef void multiply_block(ptrdiff_t m, ptrdiff_t vectors, ptrdiff_t depth, matrix a, matrix b, ptrdiff_t b_panel,
                         matrix init, real* c, ptrdiff_t c_row, real* packed) noexcept nogil:
    """C = init + A B in strips of rows, each copied to `packed` before it is used unless that is null."""
    cdef ptrdiff_t rows
    cdef matrix strip_a
    while m > 0:
        rows = strip_rows(m)
        strip_a = a if packed == NULL else pack_strip(rows, depth, a, packed)
        if rows == TILE_ROWS:
            strip(TILE_ROWS, vectors, depth, strip_a, b, b_panel, init, c, c_row)
        elif TILE_ROWS > 8 and rows == 8:
            strip(8, vectors, depth, strip_a, b, b_panel, init, c, c_row)
        elif TILE_ROWS > 4 and rows == 4:
            strip(4, vectors, depth, strip_a, b, b_panel, init, c, c_row)
        elif rows == 2:
            strip(2, vectors, depth, strip_a, b, b_panel, init, c, c_row)
        else:
            strip(1, vectors, depth, strip_a, b, b_panel, init, c, c_row)
        a.at += rows * a.row
        init = part_of(init, rows, 0)
        c += rows * c_row
        m -= rows


cdef inline ptrdiff_t widest_block() noexcept nogil:
    """Columns of a packed block of B: whole panels."""
    return PACK_BYTES // (TILE_VECTORS * V_BYTES) * TILE_VECTORS * VLEN


cdef inline bint is_large(ptrdiff_t m, ptrdiff_t columns, ptrdiff_t depth) noexcept nogil:
    """Whether it pays to copy B, which has so many rows and columns, for m rows of A."""
    return m >= 16 and depth * padded(columns) * <ptrdiff_t>sizeof(real) > SMALL_BYTES


cdef ptrdiff_t packed_for(ptrdiff_t m, ptrdiff_t columns, ptrdiff_t depth, bint transposed) noexcept nogil:
    """How many numbers `multiply` may write to `packed`."""
    cdef ptrdiff_t panel_row = TILE_VECTORS * VLEN, panels
    if is_large(m, columns, depth):
        return PACKED_BLOCK + PACKED_STRIP
    if not transposed:
        return 0
    panels = (min(columns, widest_block()) + panel_row - 1) // panel_row
    # Whole lanes of rows are transposed at a time.
    return (panels * min(depth, <ptrdiff_t>PACK_DEPTH) + LANE) * panel_row


cdef ptrdiff_t packed_size(const fastbp_model* model, ptrdiff_t rows, bint with_errors) noexcept nogil:
    """How many numbers `packed` must hold for any of the model's products with up to so many rows of samples."""
    cdef const fastbp_layer* layer
    cdef ptrdiff_t size = 0
    cdef int l
    for l in range(model.n_layers):
        layer = &model.layers[l]
        size = max(size, packed_for(rows, layer.n_out, layer.n_in, False))
        if with_errors:
            size = max(size, packed_for(rows, layer.n_in, layer.n_out, True))
            size = max(size, packed_for(layer.n_in, layer.n_out, rows, False))
    return size


cdef void multiply(ptrdiff_t m, ptrdiff_t columns, ptrdiff_t depth, matrix a, matrix b, matrix init,
                   real* c, ptrdiff_t c_row, real* packed) noexcept nogil:
    """C = init + A B. Of A and B, rows or columns are contiguous; init.at is null for zero.

    A large B is copied, block by block, into `packed`, in the order in which it is read, and so are the rows of A: as
    they stand, they may lie pages apart, or fall into the same few lines of the cache. So is a B whose columns are
    contiguous, which no vector could be read from.
    """
    cdef real* packed_a = NULL
    cdef ptrdiff_t p, j, deep, wide, panel_row = TILE_VECTORS * VLEN, widest = widest_block()
    cdef bint large = is_large(m, columns, depth)
    REQUIRE(m >= 0 and depth >= 0 and columns > 0)
    REQUIRE(m <= 1 or c_row >= padded(columns))      # rows of whole vectors must not run into each other
    if not large and b.column == 1:
        multiply_block(m, padded(columns) // VLEN, depth, a, b, panel_row, init, c, c_row, NULL)
        return
    if large:
        packed_a = packed + PACKED_BLOCK
    p = 0
    while p < depth:
        deep = min(depth - p, <ptrdiff_t>PACK_DEPTH)
        j = 0
        while j < columns:
            wide = min(columns - j, widest)
            pack(wide, deep, part_of(b, p, j), packed)
            multiply_block(m, padded(wide) // VLEN, deep, part_of(a, 0, p), rows_of(packed, panel_row),
                           deep * panel_row, part_of(init, 0, j), c + j, c_row, packed_a)
            j += wide
        p += deep
        init = rows_of(c, c_row)        # what follows adds to what is there


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
