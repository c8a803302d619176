# What else an update does to gradient and weights: penalties, clipping, decay, the largest norm. Biases are exempt
# from all but clipping. The padding of weights and gradient is zero and stays so.

cdef double add_penalty(const fastbp_model* model, real* g, double l1, double l2) noexcept nogil:
    """The gradient of l1 sum |w| + l2 / 2 sum w**2 is added to the gradient; returns that sum."""
    cdef const fastbp_layer* layer
    cdef const real* w = <const real*>model.params
    cdef vec sizes = v_zero(), squares = v_zero(), weights, sign, zero = v_zero()
    cdef vec of_sizes = v_set1(<real>l1), of_squares = v_set1(<real>l2)
    cdef ptrdiff_t i
    cdef int l
    for l in range(model.n_layers):
        layer = &model.layers[l]
        i = layer.weights
        while i < layer.bias:
            weights = v_load(w + i)
            sizes = v_add(sizes, v_abs(weights))
            squares = v_fma(weights, weights, squares)
            sign = v_select(v_lt(zero, v_abs(weights)), v_copysign(of_sizes, weights), zero)
            v_store(g + i, v_add(v_fma(of_squares, weights, v_load(g + i)), sign))
            i += VLEN
    # A sum that has overflowed counts only where it is asked for: 0 times infinity would be no number.
    return (l1 * v_sum(sizes) if l1 > 0 else 0) + (l2 / 2 * v_sum(squares) if l2 > 0 else 0)


cdef void scale_weights(real* w, ptrdiff_t n, double factor) noexcept nogil:
    cdef vec scale = v_set1(<real>factor)
    cdef ptrdiff_t i = 0
    while i < n:
        v_store(w + i, v_mul(scale, v_load(w + i)))
        i += VLEN


cdef void limit_norms(real* x, ptrdiff_t rows, ptrdiff_t stride, bint as_one, double largest) noexcept nogil:
    """Scale down to a Euclidean norm of `largest` whatever has a larger one.

    That is the column of numbers in each lane of `rows` vectors, `stride` apart, or all their numbers `as_one`. They
    are measured in a power of two near the largest of them, so that no square leaves the range of the dtype. Numbers
    that are not finite stay as they are, and a bound beyond the dtype limits nothing.
    """
    cdef vec one = v_set1(1), bound = v_set1(<real>largest), sizes = v_zero(), squares = v_zero()
    cdef vec scale, scaled, norm, share, factor
    cdef vmask limited, tiny
    cdef ptrdiff_t i
    for i in range(rows):
        sizes = v_max(sizes, v_abs(v_load(x + i * stride)))
    if as_one:
        # The mean over the lanes is near enough to the largest, and cannot overflow.
        sizes = v_set1(v_sum(v_mul(v_set1(<real>1 / VLEN), sizes)))
    # Twice, because the reciprocal of the largest power of two is not a normal number.
    scale = v_div(v_set1(2), v_power_below(v_max(sizes, v_set1(LEAST_NORMAL))))
    for i in range(rows):
        scaled = v_mul(scale, v_load(x + i * stride))
        squares = v_fma(scaled, scaled, squares)
    norm = v_sqrt(v_set1(v_sum(squares)) if as_one else squares)
    limited = v_lt(v_mul(scale, bound), norm)
    if not v_any(limited):
        return
    # A factor too small for a normal number is applied as two that are not.
    share = v_div(bound, norm)
    factor = v_mul(share, scale)
    tiny = v_lt(factor, v_set1(LEAST_NORMAL))
    factor = v_select(limited, v_select(tiny, scale, factor), one)
    share = v_select(limited, v_select(tiny, share, one), one)
    for i in range(rows):
        v_store(x + i * stride, v_mul(share, v_mul(factor, v_load(x + i * stride))))


cdef void limit_layer_norms(const fastbp_layer* layer, real* w, double largest) noexcept nogil:
    """Weights into a neuron of a norm above `largest` are scaled down to it."""
    cdef ptrdiff_t j = 0
    if layer.n_out == 1:
        limit_norms(w, padded(layer.n_in) // VLEN, VLEN, True, largest)
        return
    while j < layer.stride:
        limit_norms(w + j, layer.n_in, layer.stride, False, largest)
        j += VLEN
