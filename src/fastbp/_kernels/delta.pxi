# Backward: deltas d = e g'(r), the error signals e = d W^T that they send back, and the gradient a^T d.

cdef void apply_slope(const fastbp_network* net, int l, ptrdiff_t m) noexcept nogil:
    """The layer's error signal becomes its delta, in place."""
    cdef const fastbp_layer* layer = &net.layers[l]
    if net.fused and l + 1 == net.n_layers:
        return
    if m == 1 and layer.n_out == 1:
        # As in net_inputs: a whole vector is read next.
        v_store(<real*>layer.delta, v_set1((<real*>layer.delta)[0]))
    if layer.activation != FASTBP_SOFTMAX:
        multiply_by_slope(layer.activation, <const real*>layer.net_input, <const real*>layer.output, <real*>layer.delta,
                          padded(m * layer.stride))
    elif layer.n_out == 1:
        memset(layer.delta, 0, m * sizeof(real))
    else:
        softmax_deltas(m, layer.n_out, layer.stride, <const real*>layer.output, <real*>layer.delta)


cdef inline real* errors_before(const fastbp_network* net, int l) noexcept nogil:
    """Where layer l sends its error signal: the delta of the layer before, or the inputs' error."""
    return <real*>(net.layers[l - 1].delta if l > 0 else net.input_error)


cdef inline bint needs_transpose(const fastbp_layer* layer) noexcept nogil:
    """Whether W has more than one row and one column, so that its columns cannot be read as they stand."""
    return layer.n_in > 1 and layer.n_out > 1


cdef void error_from_vector(const fastbp_network* net, int l, ptrdiff_t m) noexcept nogil:
    """e = d W^T where W is a single row or column."""
    cdef const fastbp_layer* layer = &net.layers[l]
    cdef const real* w = <const real*>net.params + layer.weights
    cdef const real* d = <const real*>layer.delta
    cdef real* e = errors_before(net, l)
    cdef ptrdiff_t vectors = padded(layer.n_in) // VLEN, i, v
    cdef vec scalar
    for i in range(m):
        if layer.n_in == 1:
            e[i] = dot(layer.n_out, d + i * layer.stride, w)
        else:
            scalar = v_set1(d[i])
            for v in range(vectors):
                v_store(e, v_mul(scalar, v_load(w + v * VLEN)))
                e += VLEN


cdef void error_signal(const fastbp_network* net, int l, ptrdiff_t m) noexcept nogil:
    """e = d W^T of layer l into the delta of the layer before, for l = 0 into input_error; 0 where it was dropped."""
    cdef const fastbp_layer* layer = &net.layers[l]
    cdef const real* w = <const real*>net.params + layer.weights
    cdef real* e = errors_before(net, l)
    if m == 1:
        errors_of_row(layer, w, NULL, e)
    elif not needs_transpose(layer):
        error_from_vector(net, l, m)
    else:
        multiply(m, layer.n_in, layer.n_out, rows_of(<const real*>layer.delta, layer.stride),
                 columns_of(w, layer.stride), rows_of(NULL, 0), e, padded(layer.n_in), <real*>net.packed)
    if l > 0 and net.layers[l - 1].mask != NULL:
        multiply_elements(e, <const real*>net.layers[l - 1].mask, e, padded(m * net.layers[l - 1].stride))


cdef void weight_gradient(const fastbp_network* net, int l, const void* x, ptrdiff_t x_stride, ptrdiff_t m,
                          int accumulate) noexcept nogil:
    """dE/dW = a^T d and dE/db = sum d over m rows, added to the gradient or in its place; x: the network's inputs."""
    cdef const fastbp_layer* layer = &net.layers[l]
    cdef const real* a = <const real*>x
    cdef const real* d = <const real*>layer.delta
    cdef real* g = <real*>net.gradient + layer.weights
    cdef real* g_bias = <real*>net.gradient + layer.bias
    cdef real total
    cdef ptrdiff_t i, j, whole
    if l > 0:
        a = outputs_of(&net.layers[l - 1])
        x_stride = net.layers[l - 1].stride
    if layer.n_out > 1:
        multiply(layer.n_in, layer.n_out, m, columns_of(a, x_stride), rows_of(d, layer.stride),
                 rows_of(g if accumulate else NULL, layer.stride), g, layer.stride, <real*>net.packed)
        column_sums(m, layer.stride // VLEN, d, layer.stride, g_bias if accumulate else NULL, g_bias)
        return
    # One output: rows of inputs in whole vectors, scaled and added. Padded rows have no rest; x may have one.
    whole = layer.n_in // VLEN if l == 0 or layer.n_in == 1 else padded(layer.n_in) // VLEN
    multiply_row(whole, m, d, a, x_stride, g if accumulate else NULL, g)
    for j in range(whole * VLEN, layer.n_in):
        total = g[j] if accumulate else 0
        for i in range(m):
            total += d[i] * a[i * x_stride + j]
        g[j] = total
    total = g_bias[0] if accumulate else 0
    for i in range(m):
        total += d[i]
    g_bias[0] = total
