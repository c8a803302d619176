# Forward: net inputs r = a W + b and outputs a = g(r), layer by layer.

cdef void net_inputs(const fastbp_model* model, const fastbp_layer* layer, const real* x, ptrdiff_t x_stride,
                     ptrdiff_t m, real* r, real* packed) noexcept nogil:
    cdef const real* w = <const real*>model.params + layer.weights
    cdef const real* b = <const real*>model.params + layer.bias
    cdef ptrdiff_t i = 0
    if layer.n_out == 1:
        if x_stride == padded(layer.n_in):
            while i + VLEN <= m:
                v_store(r + i, v_add(v_set1(b[0]), row_dots(VLEN, x_stride // VLEN, x + i * x_stride, x_stride, w)))
                i += VLEN
        while i < m:
            r[i] = b[0] + dot(layer.n_in, x + i * x_stride, w)
            i += 1
    elif m == 1:
        multiply_row(layer.stride // VLEN, layer.n_in, x, w, layer.stride, b, r)
    else:
        multiply(m, layer.n_out, layer.n_in, rows_of(x, x_stride), rows_of(w, layer.stride), rows_of(b, 0),
                 r, layer.stride, packed)


cdef void activate(const fastbp_layer* layer, const real* r, real* a, ptrdiff_t m) noexcept nogil:
    cdef ptrdiff_t last = layer.stride - VLEN
    cdef vec real_lanes
    cdef ptrdiff_t i
    if layer.activation == FASTBP_SOFTMAX:
        # A softmax over a single output is the constant 1; its stride of 1 has no whole vector to work on.
        if layer.n_out == 1:
            for i in range(m):
                a[i] = 1 + 0 * r[i]
        else:
            softmax_rows(m, layer.n_out, layer.stride, r, a)
        return
    activate_elements(layer.activation, r, a, padded(m * layer.stride))
    if layer.mask_padding:
        real_lanes = v_first_lanes(layer.n_out - last)
        for i in range(m):
            v_store(a + i * layer.stride + last, v_and(real_lanes, v_load(a + i * layer.stride + last)))


cdef void forward_layer(const fastbp_model* model, const fastbp_layer* layer, const real* x, ptrdiff_t x_stride,
                        ptrdiff_t m, real* net_input, real* output, real* slopes, real* packed) noexcept nogil:
    """slopes: where to leave those of a single row, or null."""
    if m == 1 and layer.activation != FASTBP_SOFTMAX:
        forward_row(model, layer, x, net_input, output, slopes, NULL)
    else:
        net_inputs(model, layer, x, x_stride, m, net_input, packed)
        activate(layer, net_input, output, m)


cdef void forward(const fastbp_model* model, TypedWorkspace work, const real* x, ptrdiff_t m) noexcept nogil:
    """All layers for m rows of x, kept in the workspace for the way back."""
    cdef ptrdiff_t x_stride = model.layers[0].n_in
    cdef const fastbp_layer* layer
    cdef int l
    for l in range(model.n_layers):
        layer = &model.layers[l]
        forward_layer(model, layer, x, x_stride, m, net_input_of(work, l), output_of(work, l), slope_of(work, l),
                      &work.packed[0])
        if work.places[l].dropout > 0:
            drop_outputs(work, l, 0, m * layer.stride)
        x = kept_of(work, l)
        x_stride = layer.stride


cdef void predict(const fastbp_model* model, TypedWorkspace work, const real* x, ptrdiff_t m, real* out) noexcept nogil:
    """Outputs of m rows into the contiguous `out`; two layers' outputs are kept at a time, in turn."""
    cdef const real* inputs
    cdef const fastbp_layer* layer
    cdef ptrdiff_t start = 0, rows, x_stride, i, n_outputs = model.layers[model.n_layers - 1].n_out
    cdef real* r
    cdef int l
    if m >= FASTBP_LANES_LEAST and predicts_in_lanes(model):
        start = m // LANES * LANES
        predict_lanes(model, work, x, start, out)
        out += start * n_outputs
    while start < m:
        rows = min(m - start, model.block_rows)
        x_stride = model.layers[0].n_in
        inputs = x + start * x_stride
        for l in range(model.n_layers):
            layer = &model.layers[l]
            r = &work.outputs[(l % 2) * padded(rows * model.widest)]
            forward_layer(model, layer, inputs, x_stride, rows, r, r, NULL, &work.packed[0])
            inputs = r
            x_stride = layer.stride
        for i in range(rows):
            memcpy(out, inputs + i * x_stride, n_outputs * sizeof(real))
            out += n_outputs
        start += rows
