# Backward: deltas d = e g'(r), the error signals e = d W^T that they send back, and the gradient a^T d.

cdef void apply_slope(const fastbp_model* model, TypedWorkspace work, int l, ptrdiff_t m) noexcept nogil:
    """The layer's error signal becomes its delta, in place."""
    cdef const fastbp_layer* layer = &model.layers[l]
    cdef real* d = delta_of(work, l)
    if m == 1 and layer.n_out == 1:
        # As in net_inputs: a whole vector is read next.
        v_store(d, v_set1(d[0]))
    if layer.activation != FASTBP_SOFTMAX:
        multiply_by_slope(layer.activation, net_input_of(work, l), output_of(work, l), d, padded(m * layer.stride))
    elif layer.n_out == 1:
        memset(d, 0, m * sizeof(real))
    else:
        softmax_deltas(m, layer.n_out, layer.stride, output_of(work, l), d)


cdef inline bint needs_transpose(const fastbp_layer* layer) noexcept nogil:
    """Whether W has more than one row and one column, so that its columns cannot be read as they stand."""
    return layer.n_in > 1 and layer.n_out > 1


cdef void error_from_vector(const fastbp_layer* layer, const real* w, const real* d, ptrdiff_t m,
                            real* e) noexcept nogil:
    """e = d W^T where W is a single row or column."""
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


cdef void error_signal(const fastbp_model* model, TypedWorkspace work, int l, ptrdiff_t m) noexcept nogil:
    """e = d W^T of layer l into the delta of the layer before, for l = 0 into input_errors; 0 where it was dropped."""
    cdef const fastbp_layer* layer = &model.layers[l]
    cdef const real* w = <const real*>model.params + layer.weights
    cdef const real* d = delta_of(work, l)
    cdef real* e = errors_before(work, l)
    if m == 1:
        errors_of_row(layer, w, d, NULL, e)
    elif not needs_transpose(layer):
        error_from_vector(layer, w, d, m, e)
    else:
        multiply(m, layer.n_in, layer.n_out, rows_of(d, layer.stride), columns_of(w, layer.stride), rows_of(NULL, 0),
                 e, padded(layer.n_in), &work.packed[0])
    if l > 0 and work.places[l - 1].dropout > 0:
        multiply_elements(e, mask_of(work, l - 1), e, padded(m * model.layers[l - 1].stride))


cdef void weight_gradient(const fastbp_model* model, TypedWorkspace work, int l, const real* x, ptrdiff_t m,
                          fastbp_into into, fastbp_part part) noexcept nogil:
    """dE/dW = a^T d and dE/db = sum d over m rows; x: the network's inputs.

    into: in place of the gradient, or added to it or to the parameters, whose d are multiplied by -h.
    part: that of W to compute; the biases of its columns go with the first row. A single output has no parts.
    """
    cdef const fastbp_layer* layer = &model.layers[l]
    cdef const real* a = x
    cdef const real* d = delta_of(work, l)
    cdef real* flat = <real*>model.params if into == FASTBP_DESCENT else &work.gradient[0]
    cdef real* g = flat + layer.weights
    cdef real* g_bias = flat + layer.bias
    cdef bint accumulate = into != FASTBP_GRADIENT
    cdef real total
    cdef ptrdiff_t a_stride = layer.n_in, at = part.row * layer.stride + part.column, i, j, whole
    if l > 0:
        a = kept_of(work, l - 1)
        a_stride = model.layers[l - 1].stride
    if layer.n_out > 1:
        multiply(part.rows, part.columns, m, columns_of(a + part.row, a_stride), rows_of(d + part.column, layer.stride),
                 rows_of(g + at if accumulate else NULL, layer.stride), g + at, layer.stride, &work.packed[0])
        if part.row == 0:
            g_bias += part.column
            column_sums(m, padded(part.columns) // VLEN, d + part.column, layer.stride, g_bias if accumulate else NULL,
                        g_bias)
        return
    # One output: rows of inputs in whole vectors, scaled and added. Padded rows have no rest; x may have one.
    whole = layer.n_in // VLEN if l == 0 or layer.n_in == 1 else padded(layer.n_in) // VLEN
    multiply_row(whole, m, d, a, a_stride, g if accumulate else NULL, g)
    for j in range(whole * VLEN, layer.n_in):
        total = g[j] if accumulate else 0
        for i in range(m):
            total += d[i] * a[i * a_stride + j]
        g[j] = total
    total = g_bias[0] if accumulate else 0
    for i in range(m):
        total += d[i]
    g_bias[0] = total


cdef void all_deltas(const fastbp_model* model, TypedWorkspace work, ptrdiff_t m, bint fused) noexcept nogil:
    """From the error signal of the output layer, fused: its delta, to the deltas of all layers."""
    cdef int l = model.n_layers - 1
    if not fused:
        apply_slope(model, work, l, m)
    while l > 0:
        error_signal(model, work, l, m)
        l -= 1
        apply_slope(model, work, l, m)


cdef void backward(const fastbp_model* model, TypedWorkspace work, const real* x, ptrdiff_t m,
                   fastbp_into into) noexcept nogil:
    """As `all_deltas`, with the gradient of each layer while its deltas are in the cache."""
    cdef int l = model.n_layers - 1
    if not model.fused:
        apply_slope(model, work, l, m)
    while True:
        weight_gradient(model, work, l, x, m, into, fastbp_whole(&model.layers[l]))
        if l == 0:
            return
        error_signal(model, work, l, m)
        l -= 1
        apply_slope(model, work, l, m)


cdef void input_errors(const fastbp_model* model, TypedWorkspace work, ptrdiff_t m, real* to,
                       ptrdiff_t to_stride) noexcept nogil:
    """From the output layer's deltas to dE/dx of m rows."""
    cdef ptrdiff_t i, n = model.layers[0].n_in, stride = 1 if n == 1 else padded(n)
    all_deltas(model, work, m, True)
    error_signal(model, work, 0, m)
    for i in range(m):
        memcpy(to + i * to_stride, &work.input_errors[i * stride], n * sizeof(real))


cdef void jacobian(const fastbp_model* model, TypedWorkspace work, const real* x, ptrdiff_t m, real* to) noexcept nogil:
    """dy/dx of m rows, (m, n_outputs, n_inputs), by sending each output back on its own."""
    cdef int last = model.n_layers - 1
    cdef const fastbp_layer* layer = &model.layers[last]
    cdef real* e = delta_of(work, last)
    cdef ptrdiff_t n_inputs = model.layers[0].n_in, n, i
    forward(model, work, x, m)
    for n in range(layer.n_out):
        memset(e, 0, m * layer.stride * sizeof(real))
        for i in range(m):
            e[i * layer.stride + n] = 1
        apply_slope(model, work, last, m)
        input_errors(model, work, m, to + n * n_inputs, layer.n_out * n_inputs)


cdef void param_rows(const fastbp_model* model, TypedWorkspace work, const real* x, ptrdiff_t m, real* to,
                     ptrdiff_t row) noexcept nogil:
    """From the deltas of m samples, inputs x, to rows of dy/dparams, in users' compact order and `row` numbers apart.

    Less than a vector behind the end of each row is overwritten, too: the next part of a row, or the next row, follows.
    """
    cdef const fastbp_layer* layer
    cdef const real* a
    cdef const real* d
    cdef real* at
    cdef ptrdiff_t i, j, v
    cdef int l
    for i in range(m):
        at = to + i * row
        a = x + i * model.layers[0].n_in
        for l in range(model.n_layers):
            layer = &model.layers[l]
            d = delta_of(work, l) + i * layer.stride
            if layer.n_out == 1:
                j = 0
                while j < layer.n_in:
                    v_store(at + j, v_mul(v_set1(d[0]), v_load_first(a + j, layer.n_in - j)))
                    j += VLEN
                at += layer.n_in
                at[0] = d[0]
                at += 1
            else:
                for j in range(layer.n_in + 1):
                    for v in range(layer.stride // VLEN):
                        v_store(at + v * VLEN, v_mul(v_set1(a[j]) if j < layer.n_in else v_set1(1),
                                                     v_load(d + v * VLEN)))
                    at += layer.n_out
            a = output_of(work, l) + i * layer.stride
