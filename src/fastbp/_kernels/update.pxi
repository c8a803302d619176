# Updates of the parameters from the gradient g: plain descent w <- w - h g, with momentum, and Adam.

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


cdef void descend(real* w, const real* g, ptrdiff_t vectors, double learning_rate) noexcept nogil:
    cdef vec h = v_set1(<real>learning_rate)
    cdef ptrdiff_t v, i
    for v in range(vectors):
        i = v * VLEN
        v_store(w + i, v_fnma(h, v_load(g + i), v_load(w + i)))


cdef void descend_with_momentum(real* w, const real* g, ptrdiff_t vectors, const fastbp_optimizer* optimizer) noexcept nogil:
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
        if not all_below(g, net.n_params, 1, <real>sqrt(SAFE_UPDATE)):
            return False
    elif not all_below(g, net.n_params, <real>optimizer.learning_rate, SAFE_UPDATE):
        return False
    optimizer.steps += 1
    if optimizer.method == FASTBP_SGD:
        descend(w, g, vectors, optimizer.learning_rate)
    elif optimizer.method == FASTBP_ADAM:
        descend_by_adam(w, g, vectors, optimizer)
    else:
        descend_with_momentum(w, g, vectors, optimizer)
    return True
