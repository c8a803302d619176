# Updates of the parameters from the gradient g: plain descent w <- w - h g, with momentum, and Adam.

cdef vec add_sizes(vec sizes, const real* x, ptrdiff_t n) noexcept nogil:
    """sizes + |x|, vector by vector."""
    cdef ptrdiff_t i = 0
    while i < n:
        sizes = v_add(sizes, v_abs(v_load_first(x + i, n - i)))
        i += VLEN
    return sizes


cdef real sum_of_sizes(const real* x, ptrdiff_t n, real factor) noexcept nogil:
    """The sum of factor |x|: not below any of them, and not finite if one of them is not. Factor 0 asks just that."""
    cdef vec s0 = v_zero(), s1 = v_zero(), s2 = v_zero(), s3 = v_zero(), scale = v_set1(factor)
    cdef ptrdiff_t i = 0
    while i + 4 * VLEN <= n:
        s0 = v_fma(v_abs(v_load(x + i)), scale, s0)
        s1 = v_fma(v_abs(v_load(x + i + VLEN)), scale, s1)
        s2 = v_fma(v_abs(v_load(x + i + 2 * VLEN)), scale, s2)
        s3 = v_fma(v_abs(v_load(x + i + 3 * VLEN)), scale, s3)
        i += 4 * VLEN
    while i < n:
        s0 = v_fma(v_abs(v_load_first(x + i, n - i)), scale, s0)
        i += VLEN
    return v_sum(v_add(v_add(s0, s1), v_add(s2, s3)))


cdef bint all_finite(const void* x, ptrdiff_t n) noexcept nogil:
    return sum_of_sizes(<const real*>x, n, 0) == 0


cdef void descend(real* w, const real* g, ptrdiff_t vectors, double learning_rate) noexcept nogil:
    cdef vec h = v_set1(<real>learning_rate)
    cdef ptrdiff_t v, i
    for v in range(vectors):
        i = v * VLEN
        v_store(w + i, v_fnma(h, v_load(g + i), v_load(w + i)))


cdef void descend_with_momentum(real* w, const real* g, ptrdiff_t vectors,
                                const fastbp_optimizer* optimizer) noexcept nogil:
    """v <- mu v - h g, w <- w + v; Nesterov's form looks one step ahead: w <- w + mu v - h g with the new v."""
    cdef vec h = v_set1(<real>optimizer.learning_rate), mu = v_set1(<real>optimizer.beta_1), velocity, step
    cdef bint nesterov = optimizer.method == FASTBP_NESTEROV
    cdef real* velocities = <real*>optimizer.mean
    cdef ptrdiff_t v, i
    for v in range(vectors):
        i = v * VLEN
        step = v_mul(h, v_load(g + i))
        velocity = v_sub(v_mul(mu, v_load(velocities + i)), step)
        v_store(velocities + i, velocity)
        if nesterov:
            velocity = v_sub(v_mul(mu, velocity), step)
        v_store(w + i, v_add(v_load(w + i), velocity))


cdef void descend_by_adam(real* w, const real* g, ptrdiff_t vectors, const fastbp_optimizer* optimizer) noexcept nogil:
    """w <- w - h m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon) (Kingma and Ba 2015, algorithm 1).

    The corrections for the start are the same for all parameters, and taken out of the loop.
    """
    cdef double correction = sqrt(1 - pow(optimizer.beta_2, optimizer.steps))
    cdef vec h = v_set1(<real>(optimizer.learning_rate * correction / (1 - pow(optimizer.beta_1, optimizer.steps))))
    cdef vec epsilon = v_set1(<real>(optimizer.epsilon * correction))
    cdef vec beta_1 = v_set1(<real>optimizer.beta_1), rest_1 = v_set1(<real>(1 - optimizer.beta_1))
    cdef vec beta_2 = v_set1(<real>optimizer.beta_2), rest_2 = v_set1(<real>(1 - optimizer.beta_2))
    cdef real* means = <real*>optimizer.mean
    cdef real* squares = <real*>optimizer.square
    cdef vec gradient, mean, square
    cdef ptrdiff_t v, i
    for v in range(vectors):
        i = v * VLEN
        gradient = v_load(g + i)
        mean = v_fma(beta_1, v_load(means + i), v_mul(rest_1, gradient))
        square = v_fma(beta_2, v_load(squares + i), v_mul(rest_2, v_mul(gradient, gradient)))
        v_store(means + i, mean)
        v_store(squares + i, square)
        v_store(w + i, v_fnma(h, v_div(mean, v_add(v_sqrt(square), epsilon)), v_load(w + i)))


cdef bint update(const fastbp_network* net, fastbp_optimizer* optimizer) noexcept nogil:
    """One update of all parameters; False, and nothing changed, where a finite parameter could be lost by it."""
    cdef real* w = <real*>net.params
    cdef const real* g = <const real*>net.gradient
    cdef ptrdiff_t vectors = net.n_params // VLEN
    if optimizer.method == FASTBP_ADAM:
        # Its step is bounded whatever g is, but g squared must be a number.
        if not sum_of_sizes(g, net.n_params, 1) < sqrt(SAFE_UPDATE):
            return False
    elif not sum_of_sizes(g, net.n_params, <real>optimizer.learning_rate) < SAFE_UPDATE:
        return False
    optimizer.steps += 1
    if optimizer.method == FASTBP_SGD:
        descend(w, g, vectors, optimizer.learning_rate)
    elif optimizer.method == FASTBP_ADAM:
        descend_by_adam(w, g, vectors, optimizer)
    else:
        descend_with_momentum(w, g, vectors, optimizer)
    return True
