# On-line learning by plain descent: the gradient of one sample is an outer product, so it is applied, not stored.
#
# The loss is scaled by the learning rate h at the start of the way back, which is linear: what comes out as deltas is
# h d, and no later step multiplies by h.

cdef void subtract_outer(const real* a, ptrdiff_t rows, const real* d, ptrdiff_t vectors, real* w,
                         ptrdiff_t stride) noexcept nogil:
    """w[i, j] <- w[i, j] - a[i] d[j]."""
    cdef vec scalar
    cdef ptrdiff_t i, v
    for i in range(rows):
        scalar = v_set1(a[i])
        for v in range(vectors):
            v_store(w + v * VLEN, v_fnma(scalar, v_load(d + v * VLEN), v_load(w + v * VLEN)))
        w += stride


cdef void descend_layer(const fastbp_model* model, const fastbp_layer* layer, const real* a,
                        const real* d) noexcept nogil:
    """The update of one layer with inputs a and deltas h d."""
    cdef real* w = <real*>model.params + layer.weights
    cdef real* b = <real*>model.params + layer.bias
    cdef vec scalar
    cdef ptrdiff_t j = 0
    if layer.n_out == 1:
        scalar = v_set1(d[0])
        while j < layer.n_in:
            v_store(w + j, v_fnma(scalar, v_load_first(a + j, layer.n_in - j), v_load(w + j)))
            j += VLEN
        b[0] -= d[0]
    else:
        subtract_outer(a, layer.n_in, d, layer.stride // VLEN, w, layer.stride)
        while j < layer.stride:
            v_store(b + j, v_sub(v_load(b + j), v_load(d + j)))
            j += VLEN


cdef bint is_safe(const fastbp_model* model, TypedWorkspace work, const real* x) noexcept nogil:
    """Whether every h a d is a number below SAFE_UPDATE: the largest a times the largest d is below their sums'."""
    cdef vec sizes_a = add_sizes(v_zero(), x, model.layers[0].n_in), sizes_d = v_zero()
    cdef real sum_d
    cdef const fastbp_layer* layer
    cdef int l
    for l in range(model.n_layers):
        layer = &model.layers[l]
        sizes_d = add_sizes(sizes_d, delta_of(work, l), layer.n_out)
        if l + 1 < model.n_layers:
            sizes_a = add_sizes(sizes_a, output_of(work, l), layer.n_out)
    sum_d = v_sum(sizes_d)
    return sum_d < SAFE_UPDATE and v_sum(sizes_a) * sum_d < SAFE_UPDATE


cdef void online_deltas(const fastbp_model* model, TypedWorkspace work, const real* x, const fastbp_samples* samples,
                        ptrdiff_t place, double learning_rate, fastbp_progress* progress) noexcept nogil:
    """Forward and back for one sample: h d of every layer, and E to the progress."""
    cdef int l, last = model.n_layers - 1
    cdef const fastbp_layer* layer
    cdef const real* inputs = x
    cdef row_target target
    cdef double squares
    target.scale = v_set1(<real>learning_rate)
    target.squares = v_zero()
    target.t = NULL
    if (model.loss == FASTBP_SQUARED_ERROR and samples.weights == NULL
            and model.layers[last].activation != FASTBP_SOFTMAX):
        target.delta = delta_of(work, last)
        target.t = <const real*>samples.t + model.layers[last].n_out * (
            place if samples.order == NULL else samples.order[place])
    for l in range(model.n_layers):
        layer = &model.layers[l]
        if l == last and target.t != NULL:
            forward_row(model, layer, inputs, NULL, NULL, NULL, &target)
        else:
            forward_layer(model, layer, inputs, 0, 1, net_input_of(work, l), output_of(work, l), slope_of(work, l),
                          NULL)
        inputs = output_of(work, l)
    if target.t != NULL:
        squares = v_sum(target.squares)
        progress.squares += squares
        progress.error += 0.5 * squares
    else:
        output_error(model, work, samples, place, 1, learning_rate, model.fused, progress)
        if not model.fused:
            apply_slope(model, work, last, 1)
    for l in range(last, 0, -1):
        layer = &model.layers[l]
        if model.layers[l - 1].activation == FASTBP_SOFTMAX:
            error_signal(model, work, l, 1)
            apply_slope(model, work, l - 1, 1)
        else:
            errors_of_row(layer, <const real*>model.params + layer.weights, delta_of(work, l), slope_of(work, l - 1),
                          delta_of(work, l - 1))


cdef void train_wide(const fastbp_model* model, TypedWorkspace work, const fastbp_samples* samples, ptrdiff_t start,
                     ptrdiff_t stop, double learning_rate, const int* waiting,
                     fastbp_progress* progress) noexcept nogil:
    cdef const real* x
    cdef int l
    while start < stop:
        x = <const real*>samples.x + model.layers[0].n_in * (
            start if samples.order == NULL else samples.order[start])
        online_deltas(model, work, x, samples, start, learning_rate, progress)
        if not (isfinite(progress.error) and is_safe(model, work, x)):
            progress.diverged = True
            return
        descend_layer(model, &model.layers[0], x, delta_of(work, 0))
        for l in range(1, model.n_layers):
            descend_layer(model, &model.layers[l], output_of(work, l - 1), delta_of(work, l))
        progress.done += 1
        start += 1
        if fastbp_flag(waiting):
            return


cdef inline void train_singly(const fastbp_model* model, TypedWorkspace work, const fastbp_samples* samples,
                              ptrdiff_t start, ptrdiff_t stop, double learning_rate, const int* waiting,
                              fastbp_progress* progress) noexcept nogil:
    """One update after another, each with net inputs and a permission of its own."""
    if is_narrow(model) and samples.weights == NULL:
        train_narrow(model, work, samples, start, stop, learning_rate, waiting, progress)
    else:
        train_wide(model, work, samples, start, stop, learning_rate, waiting, progress)


cdef void train_online(const fastbp_model* model, TypedWorkspace work, const fastbp_samples* samples, ptrdiff_t start,
                       ptrdiff_t stop, double learning_rate, const int* waiting,
                       fastbp_progress* progress) noexcept nogil:
    """One update for every sample; stops before the first that would leave the finite numbers."""
    cdef ptrdiff_t end      # of a chain; one of a single sample would have nothing to look ahead to
    if stop - start == 1 or not has_chain(model, samples):
        train_singly(model, work, samples, start, stop, learning_rate, waiting, progress)
        return
    while start < stop and not progress.diverged:
        end = min(stop, (start // CHAIN_SAMPLES + 1) * CHAIN_SAMPLES)
        if end - start > 1:
            start = train_chain(model, samples, start, end, learning_rate, progress)
        if start < end:
            train_singly(model, work, samples, start, start + 1, learning_rate, waiting, progress)
            start += 1
        if fastbp_flag(waiting):
            return
