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
    return l1 * v_sum(sizes) + l2 / 2 * v_sum(squares)


cdef void clip_gradient(real* g, ptrdiff_t n, double largest) noexcept nogil:
    """g / |g| * largest where |g| is larger; an infinite norm is left to the check of the update."""
    cdef real size = sum_of_sizes(g, n, 1)
    cdef double norm
    cdef vec squares = v_zero(), scale
    cdef ptrdiff_t i = 0
    # |g| is at most the sum of sizes, which cannot overflow where squares might.
    if not (largest < size < SAFE_UPDATE):
        return
    scale = v_set1(1 / size)
    while i < n:
        squares = v_fma(v_mul(scale, v_load(g + i)), v_mul(scale, v_load(g + i)), squares)
        i += VLEN
    norm = size * sqrt(<double>v_sum(squares))
    if norm <= largest:
        return
    scale = v_set1(<real>(largest / norm))
    i = 0
    while i < n:
        v_store(g + i, v_mul(scale, v_load(g + i)))
        i += VLEN


cdef void scale_weights(real* w, ptrdiff_t n, double factor) noexcept nogil:
    cdef vec scale = v_set1(<real>factor)
    cdef ptrdiff_t i = 0
    while i < n:
        v_store(w + i, v_mul(scale, v_load(w + i)))
        i += VLEN


cdef void limit_norms(const fastbp_layer* layer, real* w, double largest) noexcept nogil:
    """Weights into a neuron of a norm above `largest` are scaled down to it."""
    # A bound that is 0 or infinite in this dtype would make 0 / 0 or inf / inf.
    cdef vec squares, bound = v_set1(<real>min(max(largest, <double>LEAST_NORMAL), <double>LARGEST)), factor
    cdef ptrdiff_t i, v
    cdef double square
    if layer.n_out == 1:
        square = 0
        for i in range(layer.n_in):
            square += <double>w[i] * w[i]
        if square > largest * largest:
            scale_weights(w, padded(layer.n_in), largest / sqrt(square))
        return
    for v in range(layer.stride // VLEN):
        squares = v_zero()
        for i in range(layer.n_in):
            squares = v_fma(v_load(w + i * layer.stride + v * VLEN), v_load(w + i * layer.stride + v * VLEN), squares)
        factor = v_div(bound, v_max(bound, v_sqrt(squares)))
        for i in range(layer.n_in):
            v_store(w + i * layer.stride + v * VLEN, v_mul(factor, v_load(w + i * layer.stride + v * VLEN)))
