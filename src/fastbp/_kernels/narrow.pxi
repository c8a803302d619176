# On-line learning of a network no layer of which is wider than one vector, by plain descent on the squared error.
#
# Such a network spends its time waiting for the result before. So outputs and deltas stay in registers from layer to
# layer, and each update reads one copy of the parameters and writes another: it needs no permission beforehand, for
# one that should not have been made is dropped with its copy.

cdef bint is_narrow(const fastbp_model* model) noexcept nogil:
    cdef int l
    for l in range(model.n_layers):
        if model.layers[l].n_out > VLEN or model.layers[l].activation == FASTBP_SOFTMAX:
            return False
    return model.loss == FASTBP_SQUARED_ERROR


cdef inline vec narrow_net_inputs(const fastbp_layer* layer, const real* params, const real* x) noexcept nogil:
    """r = x W + b; that of a single output in every lane."""
    cdef const real* w = params + layer.weights
    cdef vec r
    if layer.n_out == 1:
        return v_set1(params[layer.bias] + dot(layer.n_in, x, w))
    row_sums(1, layer.n_in, x, w, VLEN, params + layer.bias, &r)
    return r


cdef inline vec narrow_errors(const fastbp_layer* layer, const real* params, vec d, real* delta) noexcept nogil:
    """e = d W^T; delta: where d is stored on the way."""
    cdef const real* w = params + layer.weights
    if layer.n_out == 1:
        return v_mul(d, v_load(w))
    v_store(delta, d)
    return row_dots(layer.n_in, 1, w, VLEN, delta)


cdef inline void narrow_update(const fastbp_layer* layer, const real* params, real* updated, const real* x,
                               vec d, vec lanes) noexcept nogil:
    """W and b less the outer product of inputs x and deltas h d."""
    cdef const real* w = params + layer.weights
    cdef real* updated_w = updated + layer.weights
    cdef ptrdiff_t i = 0
    v_store(updated + layer.bias, v_sub(v_load(params + layer.bias), v_and(lanes, d)))
    if layer.n_out == 1:
        while i < layer.n_in:
            v_store(updated_w + i, v_fnma(d, v_load_first(x + i, layer.n_in - i), v_load(w + i)))
            i += VLEN
    else:
        for i in range(layer.n_in):
            v_store(updated_w + i * VLEN, v_fnma(v_set1(x[i]), d, v_load(w + i * VLEN)))


cdef bint narrow_step(const fastbp_model* model, TypedWorkspace work, const real* x, const real* t, const real* params,
                      real* updated, vec learning_rate, fastbp_progress* progress) noexcept nogil:
    """One sample: `updated` becomes the parameters after its update; False where they may be lost."""
    cdef const fastbp_layer* layer = &model.layers[0]
    cdef const fastbp_place* places = work.places
    cdef real* outputs = &work.outputs[0]
    cdef real* deltas = &work.deltas[0]
    cdef const real* inputs = x
    cdef vec sizes_a = add_sizes(v_zero(), x, layer.n_in), sizes_d = v_zero()
    cdef vec a = v_zero(), d, lanes, r, slope
    cdef double squares
    cdef real sum_d
    cdef int l = 0, last = model.n_layers - 1
    while True:
        layer = &model.layers[l]
        lanes = v_first_lanes(layer.n_out)
        if l > 0 and layer.n_out == 1:
            # The outputs before are at hand; the bias stands alone in its vector.
            r = v_fma(a, v_load(params + layer.weights), v_load(params + layer.bias))
            r = v_total(r, layer.n_in)
        else:
            r = narrow_net_inputs(layer, params, inputs)
        a = v_activate(layer.activation, r, &slope)
        if l == last:
            break
        a = v_and(lanes, a)
        inputs = outputs + places[l].output
        v_store(outputs + places[l].output, a)
        v_store(outputs + places[l].slope, slope)
        sizes_a = v_add(sizes_a, v_abs(a))
        l += 1

    d = v_sub(a, v_set1(t[0]) if layer.n_out == 1 else v_load_first(t, layer.n_out))
    a = v_and(lanes, d)
    squares = v_sum(v_mul(a, a))
    d = v_mul(v_mul(learning_rate, d), slope)
    if layer.n_out > 1:
        d = v_and(lanes, d)

    while True:
        sizes_d = v_add(sizes_d, v_abs(v_and(lanes, d)))
        narrow_update(layer, params, updated, x if l == 0 else outputs + places[l - 1].output, d, lanes)
        if l == 0:
            break
        d = narrow_errors(layer, params, d, deltas + places[l].output)
        l -= 1
        layer = &model.layers[l]
        lanes = v_first_lanes(layer.n_out)
        d = v_mul(d, v_load(outputs + places[l].slope))
        if layer.n_out == 1:
            v_store(deltas + places[l].output, d)
            d = v_set1(deltas[places[l].output])
    progress.squares += squares
    progress.error += 0.5 * squares
    sum_d = v_sum(sizes_d)
    return isfinite(progress.error) and sum_d < SAFE_UPDATE and v_sum(sizes_a) * sum_d < SAFE_UPDATE


cdef void train_narrow(const fastbp_model* model, TypedWorkspace work, const fastbp_samples* samples, ptrdiff_t start,
                       ptrdiff_t stop, double learning_rate, const int* waiting,
                       fastbp_progress* progress) noexcept nogil:
    cdef real* params = <real*>model.params
    cdef real* updated = &work.gradient[0]
    cdef vec rate = v_set1(<real>learning_rate)
    cdef ptrdiff_t i = 0, sample, n_outputs = model.layers[model.n_layers - 1].n_out
    while start < stop:
        sample = start if samples.order == NULL else samples.order[start]
        if not narrow_step(model, work, <const real*>samples.x + sample * model.layers[0].n_in,
                           <const real*>samples.t + sample * n_outputs, params, updated, rate, progress):
            progress.diverged = True
            break
        params, updated = updated, params
        progress.done += 1
        start += 1
        if fastbp_flag(waiting):
            break
    if params != model.params:
        # By memcpy, a bound step of 4-8-3 takes 137 ns in place of 134 (float64, Zen 4).
        while i < model.n_params:
            v_store(updated + i, v_load(params + i))
            i += VLEN
    if progress.diverged:
        # Infinity times the zeros of the padding has made NaN of them, and no later gradient writes there.
        memset(&work.gradient[0], 0, model.n_params * sizeof(real))
    REQUIRE(padding_is_zero(model, <const real*>model.params))
