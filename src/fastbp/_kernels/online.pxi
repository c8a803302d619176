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


cdef void descend_layer(const fastbp_network* net, const fastbp_layer* layer, const real* a) noexcept nogil:
    """The update of one layer with inputs a and deltas h d."""
    cdef real* w = <real*>net.params + layer.weights
    cdef real* b = <real*>net.params + layer.bias
    cdef const real* d = <const real*>layer.delta
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


cdef bint is_safe(const fastbp_network* net, const real* x) noexcept nogil:
    """Whether every h a d is a number below SAFE_UPDATE: the largest a times the largest d is below their sums'."""
    cdef vec sizes_a = add_sizes(v_zero(), x, net.layers[0].n_in), sizes_d = v_zero()
    cdef real sum_d
    cdef const fastbp_layer* layer
    cdef int l
    for l in range(net.n_layers):
        layer = &net.layers[l]
        sizes_d = add_sizes(sizes_d, <const real*>layer.delta, layer.n_out)
        if l + 1 < net.n_layers:
            sizes_a = add_sizes(sizes_a, <const real*>layer.output, layer.n_out)
    sum_d = v_sum(sizes_d)
    return sum_d < SAFE_UPDATE and v_sum(sizes_a) * sum_d < SAFE_UPDATE


cdef void online_deltas(const fastbp_network* net, const real* x, const fastbp_samples* samples, ptrdiff_t place,
                        double learning_rate, fastbp_progress* progress) noexcept nogil:
    """Forward and back for one sample: h d of every layer, and E to the progress."""
    cdef int l, last = net.n_layers - 1
    cdef const fastbp_layer* layer
    cdef const real* inputs = x
    cdef row_target target
    cdef double squares
    target.scale = v_set1(<real>learning_rate)
    target.squares = v_zero()
    target.t = NULL
    if net.loss == FASTBP_SQUARED_ERROR and samples.weights == NULL and net.layers[last].activation != FASTBP_SOFTMAX:
        target.t = <const real*>samples.t + samples.t_stride * (
            place if samples.order == NULL else samples.order[place])
    for l in range(net.n_layers):
        layer = &net.layers[l]
        if l == last and target.t != NULL:
            forward_row(net, layer, inputs, <real*>layer.net_input, <real*>layer.output, &target)
        else:
            forward_layer(net, layer, inputs, 0, 1, <real*>layer.net_input, <real*>layer.output)
        inputs = <const real*>layer.output
    if target.t != NULL:
        squares = v_sum(target.squares)
        progress.squares += squares
        progress.error += 0.5 * squares
    else:
        output_error(net, samples, place, 1, learning_rate, progress)
        apply_slope(net, last, 1)
    for l in range(last, 0, -1):
        layer = &net.layers[l - 1]
        if layer.activation == FASTBP_SOFTMAX:
            error_signal(net, l, 1)
            apply_slope(net, l - 1, 1)
        else:
            errors_of_row(&net.layers[l], <const real*>net.params + net.layers[l].weights, layer, <real*>layer.delta)


cdef void train_online(const fastbp_network* net, const fastbp_samples* samples, ptrdiff_t start, ptrdiff_t stop,
                       double learning_rate, fastbp_progress* progress) noexcept nogil:
    """One update for every sample; stops before the first that would leave the finite numbers."""
    cdef const real* x
    cdef int l
    if is_narrow(net) and samples.weights == NULL:
        train_narrow(net, samples, start, stop, learning_rate, progress)
        return
    while start < stop:
        x = <const real*>samples.x + (start if samples.order == NULL else samples.order[start]) * samples.x_stride
        online_deltas(net, x, samples, start, learning_rate, progress)
        if not (isfinite(progress.error) and is_safe(net, x)):
            return
        descend_layer(net, &net.layers[0], x)
        for l in range(1, net.n_layers):
            descend_layer(net, &net.layers[l], <const real*>net.layers[l - 1].output)
        progress.done += 1
        start += 1
