# Softmax, the one activation whose outputs depend on their whole row.

cdef real largest(const real* x, ptrdiff_t n) noexcept nogil:
    cdef real peak = x[0]
    cdef ptrdiff_t j
    for j in range(1, n):
        if x[j] > peak:
            peak = x[j]
    return peak


cdef void softmax_rows(ptrdiff_t m, ptrdiff_t n, ptrdiff_t stride, const real* net_inputs,
                       real* outputs) noexcept nogil:
    """Each row r becomes exp(r - max r) / sum; the maximum keeps exp from overflowing. Padding becomes 0.

    Both may be one array.
    """
    cdef ptrdiff_t i, v
    cdef const real* r
    cdef real* row
    cdef vec peak, total, e
    for i in range(m):
        r = net_inputs + i * stride
        row = outputs + i * stride
        peak = v_set1(largest(r, n))
        total = v_zero()
        for v in range(stride // VLEN):
            e = v_exp(v_sub(v_load(r + v * VLEN), peak))
            e = v_and(v_first_lanes(min(n - v * VLEN, <ptrdiff_t>VLEN)), e)
            v_store(row + v * VLEN, e)
            total = v_add(total, e)
        total = v_set1(v_sum(total))
        for v in range(stride // VLEN):
            v_store(row + v * VLEN, v_div(v_load(row + v * VLEN), total))


cdef void softmax_deltas(ptrdiff_t m, ptrdiff_t n, ptrdiff_t stride, const real* outputs, real* deltas) noexcept nogil:
    """Each row e in place becomes d[j] = a[j] (e[j] - sum over k of e[k] a[k]), the rows times softmax's Jacobian."""
    cdef ptrdiff_t i, v
    cdef const real* a
    cdef real* d
    cdef vec mean
    for i in range(m):
        a = outputs + i * stride
        d = deltas + i * stride
        mean = v_set1(dot(n, d, a))
        for v in range(stride // VLEN):
            v_store(d + v * VLEN, v_mul(v_load(a + v * VLEN), v_sub(v_load(d + v * VLEN), mean)))
