# Gradient descent: w <- w - h dE/dw, unless that would leave the finite numbers.

cdef bint all_below(const real* x, ptrdiff_t n, real factor, real limit) noexcept nogil:
    """Whether every factor |x| is a number below the limit; NaN and infinity are not."""
    cdef vec peak = v_zero(), poison = v_zero(), size
    cdef real lanes[64]
    cdef ptrdiff_t i = 0, j
    while i + VLEN <= n:
        size = v_abs(v_load(x + i))
        peak = v_max(peak, size)
        poison = v_fma(size, v_zero(), poison)      # NaN once x is NaN or infinite; v_max alone forgets a NaN
        i += VLEN
    v_store(lanes, v_add(peak, poison))
    for j in range(VLEN):
        if not (factor * lanes[j] < limit):
            return False
    while i < n:
        if not (factor * fabs(x[i]) < limit):
            return False
        i += 1
    return True


cdef bint all_finite(const void* x, ptrdiff_t n) noexcept nogil:
    return all_below(<const real*>x, n, 0, 1)


cdef bint update(const fastbp_network* net, double learning_rate) noexcept nogil:
    """One step down the gradient; False, and nothing changed, where a finite parameter could be lost by it."""
    cdef real* w = <real*>net.params
    cdef const real* g = <const real*>net.gradient
    cdef vec h = v_set1(<real>learning_rate)
    cdef ptrdiff_t i, v
    if not all_below(g, net.n_params, <real>learning_rate, SAFE_UPDATE):
        return False
    for v in range(net.n_params // VLEN):
        i = v * VLEN
        v_store(w + i, v_fnma(h, v_load(g + i), v_load(w + i)))
    return True
