# Narrow layers in long batches: samples along the lanes.

cdef ptrdiff_t LANES_LEAST = 64
cdef ptrdiff_t LANES_WIDEST = 64

cdef inline bint takes_lanes(const fastbp_model* model, TypedWorkspace work, ptrdiff_t m) noexcept nogil:
    cdef int l
    if m < LANES_LEAST or work.drops or model.layers[0].n_in > LANES_WIDEST:
        return False
    for l in range(model.n_layers):
        if model.layers[l].n_out > LANES_WIDEST:
            return False
        if model.layers[l].activation == FASTBP_SOFTMAX and l + 1 < model.n_layers:
            return False
    return True


cdef struct lanes_space:
    real* bias          # each number as often as a tile is wide, layer after layer
    real* inputs        # (panels, n_in, LANES)
    real* last          # (panels, stride, LANES)


cdef inline ptrdiff_t panels_of(ptrdiff_t m) noexcept nogil:
    return (m + LANES - 1) // LANES


cdef ptrdiff_t lanes_size(const fastbp_model* model, ptrdiff_t rows, bint with_errors) noexcept nogil:
    cdef ptrdiff_t size = 0, panels = panels_of(rows) if with_errors else 1
    cdef int l
    if rows < LANES_LEAST:
        return 0
    for l in range(model.n_layers):
        size += model.layers[l].n_out * TILE_VECTORS * VLEN
    return size + panels * LANES * (model.layers[0].n_in + model.layers[model.n_layers - 1].stride)


cdef lanes_space space_of(const fastbp_model* model, TypedWorkspace work, ptrdiff_t panels) noexcept nogil:
    """Spreads the biases."""
    cdef lanes_space space
    cdef const real* b
    cdef real* to = &work.packed[0]
    cdef ptrdiff_t j, v
    cdef int l
    space.bias = to
    for l in range(model.n_layers):
        b = <const real*>model.params + model.layers[l].bias
        for j in range(model.layers[l].n_out):
            for v in range(TILE_VECTORS):
                v_store(to, v_set1(b[j]))
                to += VLEN
    space.inputs = to
    space.last = to + panels * LANES * model.layers[0].n_in
    return space


cdef void rows_to_lanes(const real* x, ptrdiff_t n, ptrdiff_t rows, real* to) noexcept nogil:
    """A panel of samples x, the last of them repeated to fill it."""
    cdef ptrdiff_t whole = n // LANE * LANE if rows >= LANES else 0, i, j
    transpose_vectors(LANES // VLEN, whole, x, n, to, LANES)
    for j in range(whole, n):
        for i in range(LANES):
            to[j * LANES + i] = x[min(i, rows - 1) * n + j]


cdef void lanes_to_rows(const fastbp_layer* layer, const real* lanes, real* to) noexcept nogil:
    if layer.n_out == 1:
        memcpy(to, lanes, LANES * sizeof(real))
    else:
        transpose_vectors(layer.stride // VLEN, LANES, lanes, LANES, to, layer.stride)


cdef const real* lanes_net_inputs(const fastbp_model* model, const fastbp_layer* layer, const real* bias, const real* a,
                           real* r) noexcept nogil:
    """r = W^T a + b"""
    cdef const real* w = <const real*>model.params + layer.weights
    cdef matrix init
    init.at, init.row, init.column = bias, TILE_VECTORS * VLEN, 0
    multiply_block(layer.n_out, LANES // VLEN, layer.n_in, columns_of(w, layer.stride), rows_of(a, LANES),
                   TILE_VECTORS * VLEN, init, r, LANES, NULL)
    return bias + layer.n_out * TILE_VECTORS * VLEN


cdef void finish_lanes(const fastbp_layer* layer, real* r, real* net_input, real* output) noexcept nogil:
    """From the net inputs of the last layer to rows of outputs."""
    if layer.activation == FASTBP_SOFTMAX:
        lanes_to_rows(layer, r, net_input)
        activate(layer, net_input, output, LANES)
        return
    if net_input != output:
        lanes_to_rows(layer, r, net_input)
    activate_elements(layer.activation, r, r, layer.n_out * LANES)
    lanes_to_rows(layer, r, output)


cdef void forward_lanes(const fastbp_model* model, TypedWorkspace work, const real* x, ptrdiff_t m) noexcept nogil:
    cdef ptrdiff_t panels = panels_of(m), p, at, n_in = model.layers[0].n_in
    cdef lanes_space space = space_of(model, work, panels)
    cdef const fastbp_layer* layer
    cdef const real* a
    cdef const real* bias
    cdef real* r
    cdef int l, last = model.n_layers - 1
    memset(space.last, 0, model.layers[last].stride * LANES * sizeof(real))
    for p in range(panels):
        rows_to_lanes(x + p * LANES * n_in, n_in, m - p * LANES, space.inputs + p * LANES * n_in)
        a = space.inputs + p * LANES * n_in
        bias = space.bias
        for l in range(last):
            layer = &model.layers[l]
            at = p * LANES * layer.n_out
            r = net_input_of(work, l) + at
            bias = lanes_net_inputs(model, layer, bias, a, r)
            a = output_of(work, l) + at
            activate_elements(layer.activation, r, <real*>a, layer.n_out * LANES)
        layer = &model.layers[last]
        lanes_net_inputs(model, layer, bias, a, space.last)
        at = p * LANES * layer.stride
        finish_lanes(layer, space.last, net_input_of(work, last) + at, output_of(work, last) + at)


cdef void predict_lanes(const fastbp_model* model, TypedWorkspace work, const real* x, ptrdiff_t m,
                        real* out) noexcept nogil:
    cdef ptrdiff_t start = 0, i, n_in = model.layers[0].n_in
    cdef lanes_space space = space_of(model, work, 1)
    cdef const fastbp_layer* layer
    cdef const real* a
    cdef const real* bias
    cdef real* r
    cdef int l, last = model.n_layers - 1
    memset(space.last, 0, model.layers[last].stride * LANES * sizeof(real))
    while start < m:
        rows_to_lanes(x + start * n_in, n_in, m - start, space.inputs)
        a = space.inputs
        bias = space.bias
        for l in range(last):
            layer = &model.layers[l]
            r = &work.outputs[(l % 2) * model.widest * LANES]
            bias = lanes_net_inputs(model, layer, bias, a, r)
            activate_elements(layer.activation, r, r, layer.n_out * LANES)
            a = r
        layer = &model.layers[last]
        lanes_net_inputs(model, layer, bias, a, space.last)
        r = &work.outputs[(last % 2) * model.widest * LANES]
        finish_lanes(layer, space.last, r, r)
        for i in range(min(m - start, <ptrdiff_t>LANES)):
            memcpy(out, r + i * layer.stride, layer.n_out * sizeof(real))
            out += layer.n_out
        start += LANES


cdef void backward_lanes(const fastbp_model* model, TypedWorkspace work, ptrdiff_t m, bint accumulate) noexcept nogil:
    cdef ptrdiff_t panels = panels_of(m), p, i, j, d_panel
    cdef lanes_space space = space_of(model, work, panels)
    cdef int l, last = model.n_layers - 1
    cdef const fastbp_layer* layer = &model.layers[last]
    cdef real* d = delta_of(work, last)
    cdef real* e
    cdef real* g
    cdef const real* a
    cdef vec total
    if not model.fused:
        apply_slope(model, work, last, m)
    memset(d + m * layer.stride, 0, (panels * LANES - m) * layer.stride * sizeof(real))
    if layer.n_out > 1:
        for p in range(panels):
            transpose_vectors(LANES // VLEN, (layer.n_out + LANE - 1) // LANE * LANE, d + p * LANES * layer.stride, layer.stride,
                              space.last + p * LANES * layer.stride, LANES)
        d = space.last
    for p in range(panels):
        e = d + p * LANES * layer.stride
        for l in range(last, 0, -1):
            a = e
            e = delta_of(work, l - 1) + p * LANES * model.layers[l].n_in
            multiply_block(model.layers[l].n_in, LANES // VLEN, model.layers[l].n_out, rows_of(<const real*>model.params + model.layers[l].weights, model.layers[l].stride),
                           rows_of(a, LANES), TILE_VECTORS * VLEN, rows_of(NULL, 0), e, LANES, NULL)
            i = p * LANES * model.layers[l].n_in
            multiply_by_slope(model.layers[l - 1].activation, net_input_of(work, l - 1) + i, output_of(work, l - 1) + i,
                              e, model.layers[l].n_in * LANES)
    for l in range(last + 1):
        layer = &model.layers[l]
        g = &work.gradient[layer.weights]
        if not accumulate:
            memset(g, 0, (layer.bias - layer.weights) * sizeof(real))
        a = space.inputs if l == 0 else output_of(work, l - 1)
        if l < last:
            e = delta_of(work, l)
            d_panel = layer.n_out * LANES
        else:
            e = d
            d_panel = layer.stride * LANES
        add_dots(layer.n_in, layer.n_out, panels, a, layer.n_in * LANES, e, d_panel, g, layer.stride)
        g = &work.gradient[layer.bias]
        for j in range(layer.n_out):
            total = v_zero()
            for p in range(panels):
                for i in range(LANES // VLEN):
                    total = v_add(total, v_load(e + p * d_panel + j * LANES + i * VLEN))
            g[j] = v_sum(total) + (g[j] if accumulate else 0)


cdef void forward_block(const fastbp_model* model, TypedWorkspace work, const real* x, ptrdiff_t m) noexcept nogil:
    if takes_lanes(model, work, m):
        forward_lanes(model, work, x, m)
    else:
        forward(model, work, x, m)


cdef void backward_block(const fastbp_model* model, TypedWorkspace work, const real* x, ptrdiff_t m, bint accumulate) noexcept nogil:
    if takes_lanes(model, work, m):
        backward_lanes(model, work, m, accumulate)
    else:
        backward(model, work, x, m, accumulate)
