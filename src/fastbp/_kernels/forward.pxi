# Forward: net inputs r = a W + b and outputs a = g(r), layer by layer.

cdef void net_inputs(const fastbp_network* net, const fastbp_layer* layer, const real* x, ptrdiff_t x_stride,
                     ptrdiff_t m, real* r) noexcept nogil:
    cdef const real* w = <const real*>net.params + layer.weights
    cdef const real* b = <const real*>net.params + layer.bias
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
                 r, layer.stride, <real*>net.packed)


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


cdef void forward_layer(const fastbp_network* net, const fastbp_layer* layer, const real* x, ptrdiff_t x_stride,
                        ptrdiff_t m, real* net_input, real* output) noexcept nogil:
    if m == 1 and layer.activation != FASTBP_SOFTMAX:
        forward_row(net, layer, x, net_input, output, NULL)
    else:
        net_inputs(net, layer, x, x_stride, m, net_input)
        activate(layer, net_input, output, m)


cdef void forward(fastbp_network* net, const void* x, ptrdiff_t x_stride, ptrdiff_t m) noexcept nogil:
    """All layers for m rows of x, kept in the workspace for the way back."""
    cdef const real* inputs = <const real*>x
    cdef const fastbp_layer* layer
    cdef int l
    for l in range(net.n_layers):
        layer = &net.layers[l]
        forward_layer(net, layer, inputs, x_stride, m, <real*>layer.net_input, <real*>layer.output)
        if layer.mask != NULL:
            drop_outputs(layer, m, &net.random)
        inputs = outputs_of(layer)
        x_stride = layer.stride


cdef void predict(const fastbp_network* net, const void* x, ptrdiff_t x_stride, ptrdiff_t m, void* out,
                  void* scratch) noexcept nogil:
    """Outputs of m rows into the contiguous `out`; leaves the network's workspace alone, so that calls may overlap."""
    cdef const real* inputs
    cdef const fastbp_layer* layer
    cdef ptrdiff_t start, rows, stride, widest = 0, i, n_outputs = net.layers[net.n_layers - 1].n_out
    cdef real* r
    cdef real* y = <real*>out
    cdef int l
    for l in range(net.n_layers):
        widest = max(widest, net.layers[l].stride)
    start = 0
    while start < m:
        rows = min(m - start, net.block_rows)
        inputs = <const real*>x + start * x_stride
        stride = x_stride
        for l in range(net.n_layers):
            layer = &net.layers[l]
            r = <real*>scratch + (l % 2) * padded(rows * widest)
            forward_layer(net, layer, inputs, stride, rows, r, r)
            inputs = r
            stride = layer.stride
        for i in range(rows):
            memcpy(y, inputs + i * stride, n_outputs * sizeof(real))
            y += n_outputs
        start += rows
