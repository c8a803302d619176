# Updates of the parameters w from the gradient g.

cdef extern from "kernels.h" nogil:
    int FASTBP_ADAM, FASTBP_NADAM, FASTBP_RMSPROP, FASTBP_ADAGRAD


# The methods' own numbers, in the order in which kernels.h names them.

cdef struct momentum_numbers:       # Nesterov's, too
    double momentum

cdef struct adam_numbers:           # Nadam's, too: decay of the means of g and of g squared
    double beta_1, beta_2, epsilon

cdef struct rmsprop_numbers:        # decay of the mean of g squared
    double rho, epsilon

cdef struct adagrad_numbers:
    double epsilon

cdef struct rprop_numbers:          # factors and bounds of a step
    double grow, shrink, least, largest


cdef vec add_sizes(vec sizes, const real* x, ptrdiff_t n) noexcept nogil:
    """sizes + |x|, vector by vector."""
    cdef ptrdiff_t i = 0
    while i < n:
        sizes = v_add(sizes, v_abs(v_load_first(x + i, n - i)))
        i += VLEN
    return sizes


cdef real sum_of_sizes(const real* x, ptrdiff_t n, real factor) noexcept nogil:
    """The sum of factor |x|: not below any of them, and not finite if one of them is not. Factor 0 tests only that."""
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


cdef bint all_finite(const real* x, ptrdiff_t n) noexcept nogil:
    return sum_of_sizes(x, n, 0) == 0


cdef bint all_within(const real* x, ptrdiff_t n, double low, double high) noexcept nogil:
    """Whether low <= x <= high for each of them; NaN counts as outside."""
    cdef ptrdiff_t i
    for i in range(n):
        if not low <= x[i] <= high:
            return False
    return True


cdef void add_gradient(const fastbp_model* model, real* total, const real* g) noexcept nogil:
    cdef ptrdiff_t i = 0
    while i < model.n_params:
        v_store(total + i, v_add(v_load(total + i), v_load(g + i)))
        i += VLEN


cdef void descend(real* w, const real* g, ptrdiff_t n, double learning_rate) noexcept nogil:
    """w <- w - h g."""
    cdef vec h = v_set1(<real>learning_rate)
    cdef ptrdiff_t i = 0
    while i < n:
        v_store(w + i, v_fnma(h, v_load(g + i), v_load(w + i)))
        i += VLEN


cdef void descend_with_momentum(real* w, const real* g, ptrdiff_t n, double learning_rate,
                                const fastbp_optimizer* optimizer, real* velocities) noexcept nogil:
    """v <- mu v - h g, w <- w + v; Nesterov's form looks one step ahead: w <- w + mu v - h g with the new v."""
    cdef const momentum_numbers* own = <const momentum_numbers*>optimizer.own
    cdef vec h = v_set1(<real>learning_rate), mu = v_set1(<real>own.momentum), velocity, step
    cdef bint nesterov = optimizer.method == FASTBP_NESTEROV
    cdef ptrdiff_t i = 0
    while i < n:
        step = v_mul(h, v_load(g + i))
        velocity = v_sub(v_mul(mu, v_load(velocities + i)), step)
        v_store(velocities + i, velocity)
        if nesterov:
            velocity = v_sub(v_mul(mu, velocity), step)
        v_store(w + i, v_add(v_load(w + i), velocity))
        i += VLEN


cdef real sufficient(double epsilon, double rate) noexcept nogil:
    """epsilon, or what takes its place so that rate g / (sqrt(s) + epsilon) is below SAFE_UPDATE for any g allowed.

    `is_safe_update` keeps g below sqrt(SAFE_UPDATE). An epsilon that is 0 in this dtype would make 0 / 0.
    """
    return <real>max(epsilon, max(rate / sqrt(SAFE_UPDATE), <double>LEAST_NORMAL))


cdef void descend_by_adam(real* w, const real* g, ptrdiff_t n, double learning_rate, const fastbp_optimizer* optimizer,
                          real* means, real* squares) noexcept nogil:
    """w <- w - h m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon) (Kingma and Ba 2015, algorithm 1).

    Nadam (Dozat 2016, algorithm 2) has beta_1 m / (1 - beta_1^(t + 1)) + (1 - beta_1) g / (1 - beta_1^t) in place of
    m / (1 - beta_1^t). The corrections for the start are the same for all parameters, and taken out of the loop.
    """
    cdef bint nadam = optimizer.method == FASTBP_NADAM
    cdef const adam_numbers* own = <const adam_numbers*>optimizer.own
    cdef double b_1 = own.beta_1, b_2 = own.beta_2
    cdef double start_1 = 1 - pow(b_1, optimizer.steps), correction = sqrt(1 - pow(b_2, optimizer.steps))
    cdef double share_of_mean = learning_rate * correction * (
        b_1 / (1 - pow(b_1, optimizer.steps + 1)) if nadam else 1 / start_1)
    cdef double share_of_gradient = learning_rate * correction * (1 - b_1) / start_1
    cdef vec of_mean = v_set1(<real>share_of_mean), of_gradient = v_set1(<real>share_of_gradient)
    cdef vec epsilon = v_set1(sufficient(own.epsilon * (1 if optimizer.plain_epsilon else correction),
                                         share_of_mean + share_of_gradient))
    cdef vec beta_1 = v_set1(<real>b_1), rest_1 = v_set1(<real>(1 - b_1))
    cdef vec beta_2 = v_set1(<real>b_2), rest_2 = v_set1(<real>(1 - b_2))
    cdef vec gradient, mean, square, step
    cdef ptrdiff_t i = 0
    while i < n:
        gradient = v_load(g + i)
        mean = v_fma(beta_1, v_load(means + i), v_mul(rest_1, gradient))
        square = v_fma(beta_2, v_load(squares + i), v_mul(rest_2, v_mul(gradient, gradient)))
        v_store(means + i, mean)
        v_store(squares + i, square)
        step = v_mul(of_mean, mean)
        if nadam:
            step = v_fma(of_gradient, gradient, step)
        v_store(w + i, v_sub(v_load(w + i), v_div(step, v_add(v_sqrt(square), epsilon))))
        i += VLEN


cdef void descend_by_squares(real* w, const real* g, ptrdiff_t n, double learning_rate, double share_before,
                             double share, double least, real* squares) noexcept nogil:
    """w <- w - h g / (sqrt(s) + epsilon); s is the sum of g^2 (Adagrad, Duchi et al. 2011) or a running mean (RMSprop),
    which differ in the shares of s before and of g^2."""
    cdef vec h = v_set1(<real>learning_rate), epsilon = v_set1(sufficient(least, learning_rate))
    cdef vec before = v_set1(<real>share_before), rest = v_set1(<real>share)
    cdef vec gradient, square
    cdef ptrdiff_t i = 0
    while i < n:
        gradient = v_load(g + i)
        square = v_fma(before, v_load(squares + i), v_mul(rest, v_mul(gradient, gradient)))
        v_store(squares + i, square)
        v_store(w + i, v_fnma(h, v_div(gradient, v_add(v_sqrt(square), epsilon)), v_load(w + i)))
        i += VLEN


cdef void descend_by_signs(real* w, const real* g, ptrdiff_t n, double rate, const rprop_numbers* own,
                           real* signs, real* steps) noexcept nogil:
    """iRprop- (Igel and Huesken 2000): each parameter moves by its own step against the sign of g.

    The step grows where the sign stays, and shrinks where it changes; then the parameter waits once. What is kept is
    the sign and not the gradient, whose product with the next one might underflow.
    """
    cdef vec zero = v_zero(), one = v_set1(1), scale = v_set1(<real>rate)
    cdef vec up = v_set1(<real>own.grow), down = v_set1(<real>own.shrink)
    cdef vec largest = v_set1(<real>own.largest), least = v_set1(<real>own.least)
    cdef vec gradient, sign, change, step
    cdef ptrdiff_t i = 0
    while i < n:
        gradient = v_load(g + i)
        sign = v_select(v_lt(zero, v_abs(gradient)), v_copysign(one, gradient), zero)
        change = v_mul(sign, v_load(signs + i))
        step = v_load(steps + i)
        step = v_select(v_lt(zero, change), v_min(v_mul(step, up), largest), step)
        step = v_select(v_lt(change, zero), v_max(v_mul(step, down), least), step)
        sign = v_select(v_lt(change, zero), zero, sign)
        v_store(signs + i, sign)
        v_store(steps + i, step)
        v_store(w + i, v_fnma(v_mul(scale, step), sign, v_load(w + i)))
        i += VLEN


cdef inline real* part(void* state, ptrdiff_t start) noexcept nogil:
    """An optimizer's array from `start` on; null where the method has none."""
    return <real*>state + start if state != NULL else NULL


cdef void descend_part(const fastbp_model* model, TypedWorkspace work, const fastbp_optimizer* optimizer,
                       ptrdiff_t start, ptrdiff_t n, double rate) noexcept nogil:
    """The update of n parameters from `start` on, at `rate` times the learning rate."""
    cdef real* w = <real*>model.params + start
    cdef const real* g = &work.gradient[start]
    cdef real* mean = part(optimizer.mean, start)
    cdef real* square = part(optimizer.square, start)
    cdef double h = rate * optimizer.learning_rate
    cdef const rmsprop_numbers* rmsprop
    if optimizer.method == FASTBP_SGD:
        descend(w, g, n, h)
    elif optimizer.method == FASTBP_MOMENTUM or optimizer.method == FASTBP_NESTEROV:
        descend_with_momentum(w, g, n, h, optimizer, mean)
    elif optimizer.method == FASTBP_ADAM or optimizer.method == FASTBP_NADAM:
        descend_by_adam(w, g, n, h, optimizer, mean, square)
    elif optimizer.method == FASTBP_RPROP:
        descend_by_signs(w, g, n, rate, <const rprop_numbers*>optimizer.own, mean, square)
    elif optimizer.method == FASTBP_RMSPROP:
        rmsprop = <const rmsprop_numbers*>optimizer.own
        descend_by_squares(w, g, n, h, rmsprop.rho, 1 - rmsprop.rho, rmsprop.epsilon, square)
    elif optimizer.method == FASTBP_ADAGRAD:
        descend_by_squares(w, g, n, h, 1, 1, (<const adagrad_numbers*>optimizer.own).epsilon, square)


# The crew shares updates of many parameters, in parts that are the same without a crew, so that the bits are, too.

cdef enum:
    PARTS = 16
    MANY_PARAMS = 32 * 1024


cdef struct shared_update:
    const fastbp_model* model
    void* work
    const fastbp_optimizer* optimizer
    real factor
    real sizes[PARTS]               # of the gradient's parts


cdef ptrdiff_t start_of(const fastbp_model* model, int part) noexcept nogil:
    return model.n_params // VLEN * part // PARTS * VLEN


cdef void size_part(void* job, int part, int member) noexcept nogil:
    cdef shared_update* shared = <shared_update*>job
    cdef float_mode before = enter_float_mode()
    cdef ptrdiff_t start = start_of(shared.model, part), end = start_of(shared.model, part + 1)
    shared.sizes[part] = sum_of_sizes(&(<TypedWorkspace>shared.work).gradient[start], end - start, shared.factor)
    leave_float_mode(before)


cdef void update_part(void* job, int part, int member) noexcept nogil:
    cdef shared_update* shared = <shared_update*>job
    cdef float_mode before = enter_float_mode()
    cdef ptrdiff_t start = start_of(shared.model, part), end = start_of(shared.model, part + 1)
    descend_part(shared.model, <TypedWorkspace>shared.work, shared.optimizer, start, end - start, 1)
    leave_float_mode(before)


cdef void run_parts(fastbp_crew* crew, fastbp_task task, shared_update* shared) noexcept nogil:
    cdef int part
    if crew != NULL:
        crew.run(crew, PARTS, task, shared)
        return
    for part in range(PARTS):
        task(shared, part, 0)


cdef real size_of_gradient(shared_update* shared, double factor, fastbp_crew* crew) noexcept nogil:
    """sum_of_sizes of the whole gradient."""
    cdef const fastbp_model* model = shared.model
    cdef real total = 0
    cdef int part
    if model.n_params < MANY_PARAMS:
        return sum_of_sizes(&(<TypedWorkspace>shared.work).gradient[0], model.n_params, <real>factor)
    shared.factor = <real>factor
    run_parts(crew, size_part, shared)
    for part in range(PARTS):
        total += shared.sizes[part]
    return total


cdef bint is_safe_update(shared_update* shared, fastbp_crew* crew) noexcept nogil:
    """Whether no finite parameter can be lost by this gradient."""
    cdef const fastbp_model* model = shared.model
    cdef const fastbp_optimizer* optimizer = shared.optimizer
    cdef double rate = 1, share = 1
    cdef int l
    if optimizer.rates != NULL:
        for l in range(model.n_layers):
            rate = max(rate, optimizer.rates[l])
    if optimizer.method == FASTBP_RPROP:
        return (rate * max(optimizer.learning_rate, (<const rprop_numbers*>optimizer.own).largest) < SAFE_UPDATE
                and size_of_gradient(shared, 0, crew) == 0)
    if not (optimizer.method == FASTBP_SGD or optimizer.method == FASTBP_MOMENTUM
            or optimizer.method == FASTBP_NESTEROV):
        # The step is bounded whatever g is (see `sufficient`), but g squared must be a number.
        return (rate * optimizer.learning_rate < sqrt(SAFE_UPDATE)
                and size_of_gradient(shared, 1, crew) < sqrt(SAFE_UPDATE))
    if optimizer.method != FASTBP_SGD:
        # Velocities add up to h g / (1 - mu); a mu that is 1 in this dtype lets them grow by h g a step.
        share = max(1 - (<const momentum_numbers*>optimizer.own).momentum, 1e-7)
    return size_of_gradient(shared, rate * optimizer.learning_rate, crew) < SAFE_UPDATE * share


cdef bint update(const fastbp_model* model, TypedWorkspace work, fastbp_optimizer* optimizer, double scale,
                 double* penalty, fastbp_crew* crew) noexcept nogil:
    """One update of all parameters; False, and nothing changed, where a finite parameter could be lost by it.

    scale: what the loss was multiplied by, for a mean over the batch. The penalty of l1 and l2 is added to `penalty`.
    """
    cdef const fastbp_layer* layer
    cdef real* params = <real*>model.params
    cdef real* g = &work.gradient[0]
    cdef double rate = 1, share = scale if optimizer.batch_means else 1
    cdef shared_update shared
    cdef ptrdiff_t end
    cdef int l
    shared.model, shared.work, shared.optimizer = model, <void*>work, optimizer
    if optimizer.l1 > 0 or optimizer.l2 > 0:
        penalty[0] += add_penalty(model, g, share * optimizer.l1, share * optimizer.l2)
    if optimizer.clip > 0:
        limit_norms(g, model.n_params // VLEN, VLEN, True, optimizer.clip)
    if not is_safe_update(&shared, crew):
        return False
    REQUIRE(padding_is_zero(model, g))
    optimizer.steps += 1
    if optimizer.rates == NULL and optimizer.decay == 0 and optimizer.max_norm == 0:
        if model.n_params < MANY_PARAMS:
            descend_part(model, work, optimizer, 0, model.n_params, 1)
        else:
            run_parts(crew, update_part, &shared)
    else:
        for l in range(model.n_layers):
            layer = &model.layers[l]
            end = model.layers[l + 1].weights if l + 1 < model.n_layers else model.n_params
            if optimizer.rates != NULL:
                rate = optimizer.rates[l]
            if rate == 0:
                continue        # frozen
            if optimizer.decay > 0:
                scale_weights(params + layer.weights, layer.bias - layer.weights,
                              max(1 - rate * optimizer.learning_rate * optimizer.decay, 0.0))
            descend_part(model, work, optimizer, layer.weights, end - layer.weights, rate)
            if optimizer.max_norm > 0:
                limit_layer_norms(layer, params + layer.weights, optimizer.max_norm)
    REQUIRE(padding_is_zero(model, params))
    REQUIRE(padding_is_zero(model, <const real*>optimizer.mean))
    REQUIRE(padding_is_zero(model, <const real*>optimizer.square))
    return True
