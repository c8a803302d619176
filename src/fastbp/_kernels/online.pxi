# On-line learning by plain descent: the gradient of one sample is an outer product, so it is applied, not stored.
#
# W^T of the layers above the first is made once and kept up to date beside W, by the same products rounded the same
# way; it is dropped at the end, so a user's write into `weights` between two calls is neither lost nor missed.

cdef void add_outer(const real* a, ptrdiff_t rows, const real* d, ptrdiff_t vectors, vec h, real* w,
                    ptrdiff_t stride) noexcept nogil:
    """w[i, j] <- w[i, j] - h (a[i] d[j])."""
    cdef vec scalar
    cdef ptrdiff_t i, v
    for i in range(rows):
        scalar = v_set1(a[i])
        for v in range(vectors):
            v_store(w + v * VLEN, v_fnma(h, v_mul(scalar, v_load(d + v * VLEN)), v_load(w + v * VLEN)))
        w += stride


cdef void descend_layer(const fastbp_network* net, int l, const real* a, ptrdiff_t a_vectors,
                        real learning_rate) noexcept nogil:
    """The update of one layer; a_vectors of its inputs are whole vectors, and the rest, if any, single numbers."""
    cdef const fastbp_layer* layer = &net.layers[l]
    cdef real* w = <real*>net.params + layer.weights
    cdef real* b = <real*>net.params + layer.bias
    cdef const real* d = <const real*>layer.delta
    cdef vec h = v_set1(learning_rate)
    cdef ptrdiff_t vectors = layer.stride // VLEN, j
    if layer.n_out == 1:
        add_outer(d, 1, a, a_vectors, h, w, 0)
        for j in range(a_vectors * VLEN, layer.n_in):
            w[j] -= learning_rate * (d[0] * a[j])
        b[0] -= learning_rate * d[0]
    else:
        add_outer(a, layer.n_in, d, vectors, h, w, layer.stride)
        if l > 0 and needs_transpose(layer):
            add_outer(d, layer.n_out, a, a_vectors, h, <real*>layer.transposed, a_vectors * VLEN)
        for j in range(vectors):
            v_store(b + j * VLEN, v_fnma(h, v_load(d + j * VLEN), v_load(b + j * VLEN)))


cdef bint is_safe(const fastbp_network* net, const real* x, real learning_rate) noexcept nogil:
    """Whether every h a d is a number below SAFE_UPDATE: the largest a times the largest d is below their sums'."""
    cdef real sizes_a = sum_of_sizes(x, net.layers[0].n_in, 1), sizes_d = 0
    cdef const fastbp_layer* layer
    cdef int l
    for l in range(net.n_layers):
        layer = &net.layers[l]
        sizes_d += sum_of_sizes(<const real*>layer.delta, layer.stride, learning_rate)
        if l + 1 < net.n_layers:
            sizes_a += sum_of_sizes(<const real*>layer.output, layer.stride, 1)
    return sizes_d < SAFE_UPDATE and sizes_a * sizes_d < SAFE_UPDATE


cdef void train_online(const fastbp_network* net, const fastbp_samples* samples, ptrdiff_t start, ptrdiff_t stop,
                       double learning_rate, fastbp_progress* progress) noexcept nogil:
    """One update for every sample; stops before the first that would leave the finite numbers."""
    cdef const fastbp_layer* layer
    cdef const real* x
    cdef const real* a
    cdef ptrdiff_t sample, stride
    cdef real h = <real>learning_rate
    cdef int l
    for l in range(1, net.n_layers):
        if needs_transpose(&net.layers[l]):
            transpose(&net.layers[l], <const real*>net.params + net.layers[l].weights)
    while start < stop:
        x = <const real*>samples.x + (start if samples.order == NULL else samples.order[start]) * samples.x_stride
        forward(net, x, samples.x_stride, 1)
        output_error(net, samples, start, 1, 1.0, progress)
        if not isfinite(progress.error):
            return
        for l in range(net.n_layers - 1, -1, -1):
            apply_slope(net, l, 1)
            layer = &net.layers[l]
            if l == 0:
                break
            if needs_transpose(layer):
                stride = padded(layer.n_in)
                multiply_row(stride // VLEN, layer.n_out, <const real*>layer.delta,
                             <const real*>layer.transposed, stride, NULL, errors_before(net, l))
            else:
                error_from_vector(net, l, 1)
        if not is_safe(net, x, h):
            return
        descend_layer(net, 0, x, net.layers[0].n_in // VLEN, h)
        for l in range(1, net.n_layers):
            descend_layer(net, l, <const real*>net.layers[l - 1].output, padded(net.layers[l].n_in) // VLEN, h)
        progress.done += 1
        start += 1
