# Long batches of narrow layers: the samples stand along the lanes, where forward.pxi and delta.pxi have the neurons.
#
# Samples are taken LANES at a time, a panel. In a panel each neuron has LANES numbers, one a sample, and the neurons
# follow one another, so that
#     forward    R = W^T A + b
#     delta      E = W D
# are products whose B is a panel: every vector is full of samples, W is read number by number where it stands and is
# never transposed, and a layer of one neuron is one like the others. All layers of a panel are worked off before the
# next one, in the first cache. The gradient A D^T is dot products along all samples of a block (lanes.h).
#
# Inputs are transposed on the way in, the outputs and the deltas of the last layer on the way out and in, for losses
# and softmax work on rows. Panels are full: what is left of a batch is a block of rows as before.
#
# What there is to win is the padding, and in very narrow layers the sums across the lanes. Measured on Zen 4, batches
# of 2000 and 10,000 rows, the gradient's old time divided by the new one, float32 and float64: 2-3-1 2.6 to 3.6 and 1.4
# to 2.2, 4-16-3 1.4 and 1.15, 10-30-10 1.2 and 1.02 to 1.15, 20-50-1 1.2 and 1.07; where all widths are whole vectors
# (8-32-32-1, 16-64-64-8) 0.94 to 1.02. A prediction has less to win, and as much to transpose. In blocks of 64 rows the
# gain is lost: one sum across the lanes costs as much as three to six of the products that it adds up.

cdef enum:
    LANES_WIDEST = 64       # layers whose panels stay in the first cache


cdef bint suits_lanes(const fastbp_model* model, double most) noexcept nogil:
    """Whether the weights are at most this share of what they are with their padding."""
    cdef const fastbp_layer* layer
    cdef ptrdiff_t weights = 0, with_padding = 0
    cdef int l
    for l in range(model.n_layers):
        layer = &model.layers[l]
        if layer.n_in > LANES_WIDEST or layer.n_out > LANES_WIDEST:
            return False
        if layer.activation == FASTBP_SOFTMAX and l + 1 < model.n_layers:
            return False        # the one hidden activation that works on rows
        weights += layer.n_in * layer.n_out
        with_padding += layer.bias - layer.weights
    return weights <= most * with_padding


cdef bint trains_in_lanes(const fastbp_model* model) noexcept nogil:
    return suits_lanes(model, 11 / 12.0)


cdef bint predicts_in_lanes(const fastbp_model* model) noexcept nogil:
    return suits_lanes(model, 4 / 5.0)


cdef ptrdiff_t batch_rows(const fastbp_model* model) noexcept nogil:
    """Most rows of a block of a batch: many in lanes, for each block has its sums across them."""
    return FASTBP_BLOCK_ROWS if trains_in_lanes(model) else model.block_rows


cdef ptrdiff_t next_block(const fastbp_model* model, ptrdiff_t left) noexcept nogil:
    """How many of the rows that are left of a batch the next block takes."""
    if left >= FASTBP_LANES_LEAST and trains_in_lanes(model):
        return min(left, <ptrdiff_t>FASTBP_BLOCK_ROWS) // LANES * LANES
    return min(left, model.block_rows)


cdef struct lanes_space:
    real* biases        # each as often as a tile is wide, layer after layer
    real* ones          # (LANES)
    real* inputs        # (panels, n_in, LANES)
    real* last          # (panels, stride, LANES): deltas of the last layer; on the way forward a panel of its outputs


cdef ptrdiff_t space_for(const fastbp_model* model, ptrdiff_t rows, bint training) noexcept nogil:
    """How many numbers `packed` must hold for blocks of so many rows."""
    cdef ptrdiff_t size = LANES
    cdef int l, last = model.n_layers - 1
    if rows < FASTBP_LANES_LEAST or not (trains_in_lanes(model) if training else predicts_in_lanes(model)):
        return packed_size(model, rows, training)
    for l in range(model.n_layers):
        size += model.layers[l].n_out * TILE_VECTORS * VLEN
    size += (rows if training else LANES) * (model.layers[0].n_in + model.layers[last].stride)
    return max(size, packed_size(model, rows, training))


cdef lanes_space prepare_lanes(const fastbp_model* model, TypedWorkspace work, ptrdiff_t m) noexcept nogil:
    """Cut `packed` into its parts, and spread the biases."""
    cdef lanes_space space
    cdef const real* b
    cdef real* to = &work.packed[0]
    cdef ptrdiff_t j, v
    cdef int l
    space.biases = to
    for l in range(model.n_layers):
        b = <const real*>model.params + model.layers[l].bias
        for j in range(model.layers[l].n_out):
            for v in range(TILE_VECTORS):
                v_store(to, v_set1(b[j]))
                to += VLEN
    space.ones = to
    for j in range(LANES):
        to[j] = 1
    space.inputs = to + LANES
    space.last = space.inputs + m * model.layers[0].n_in
    return space


cdef void rows_to_lanes(ptrdiff_t n, const real* rows, ptrdiff_t stride, real* lanes) noexcept nogil:
    """A panel of rows of n numbers."""
    cdef ptrdiff_t whole = n // LANE * LANE, i, j
    transpose_vectors(LANES // VLEN, whole, rows, stride, lanes, LANES)
    for j in range(whole, n):
        for i in range(LANES):
            lanes[j * LANES + i] = rows[i * stride + j]


cdef void lanes_to_rows(const fastbp_layer* layer, const real* lanes, real* rows) noexcept nogil:
    """A panel of a layer as padded rows: the lanes of the padding, too, are read."""
    if layer.n_out == 1:
        memcpy(rows, lanes, LANES * sizeof(real))
    else:
        transpose_vectors(layer.stride // VLEN, LANES, lanes, LANES, rows, layer.stride)


cdef void lanes_net_inputs(const fastbp_model* model, const fastbp_layer* layer, const real* biases, const real* a,
                           real* r) noexcept nogil:
    cdef const real* w = <const real*>model.params + layer.weights
    cdef matrix init
    cdef ptrdiff_t v
    if layer.n_out == 1:
        # A tile of one row would wait for each of its sums.
        for v in range(LANES // VLEN):
            v_store(r + v * VLEN, v_load(biases))
        multiply_row(LANES // VLEN, layer.n_in, w, a, LANES, r, r)
        return
    init.at, init.row, init.column = biases, TILE_VECTORS * VLEN, 0     # the same for each tile of a row
    multiply_block(layer.n_out, LANES // VLEN, layer.n_in, columns_of(w, layer.stride), rows_of(a, LANES),
                   TILE_VECTORS * VLEN, init, r, LANES, NULL)


cdef void finish_lanes(const fastbp_layer* layer, real* r, real* net_inputs, real* outputs) noexcept nogil:
    """From a panel of the last layer's net inputs, which is overwritten, to its rows."""
    if net_inputs != outputs or layer.activation == FASTBP_SOFTMAX:
        lanes_to_rows(layer, r, net_inputs)
    if layer.activation == FASTBP_SOFTMAX:
        activate(layer, net_inputs, outputs, LANES)
    else:
        activate_elements(layer.activation, r, r, layer.n_out * LANES)
        lanes_to_rows(layer, r, outputs)


cdef void forward_lanes(const fastbp_model* model, TypedWorkspace work, const real* x, ptrdiff_t m) noexcept nogil:
    cdef ptrdiff_t n_in = model.layers[0].n_in, p, at
    cdef lanes_space space = prepare_lanes(model, work, m)
    cdef int l, last = model.n_layers - 1
    cdef const fastbp_layer* layer = &model.layers[last]
    cdef const real* a
    cdef const real* biases
    memset(space.last, 0, layer.stride * LANES * sizeof(real))
    for p in range(m // LANES):
        rows_to_lanes(n_in, x + p * LANES * n_in, n_in, space.inputs + p * LANES * n_in)
        a = space.inputs + p * LANES * n_in
        biases = space.biases
        for l in range(last):
            layer = &model.layers[l]
            at = p * LANES * layer.stride
            lanes_net_inputs(model, layer, biases, a, net_input_of(work, l) + at)
            activate_elements(layer.activation, net_input_of(work, l) + at, output_of(work, l) + at,
                              layer.n_out * LANES)
            if work.places[l].dropout > 0:
                drop_outputs(work, l, at, layer.n_out * LANES)
            a = kept_of(work, l) + at
            biases += layer.n_out * TILE_VECTORS * VLEN
        layer = &model.layers[last]
        at = p * LANES * layer.stride
        lanes_net_inputs(model, layer, biases, a, space.last)
        finish_lanes(layer, space.last, net_input_of(work, last) + at, output_of(work, last) + at)


cdef void predict_lanes(const fastbp_model* model, TypedWorkspace work, const real* x, ptrdiff_t m,
                        real* out) noexcept nogil:
    """What `predict` does, for m rows in whole panels."""
    cdef ptrdiff_t n_in = model.layers[0].n_in, start = 0, i
    cdef lanes_space space = prepare_lanes(model, work, LANES)
    cdef int l, last = model.n_layers - 1
    cdef const fastbp_layer* layer = &model.layers[last]
    cdef const real* a
    cdef const real* biases
    cdef real* r
    memset(space.last, 0, layer.stride * LANES * sizeof(real))
    while start < m:
        rows_to_lanes(n_in, x + start * n_in, n_in, space.inputs)
        a = space.inputs
        biases = space.biases
        for l in range(last):
            layer = &model.layers[l]
            r = &work.outputs[(l % 2) * model.widest * LANES]
            lanes_net_inputs(model, layer, biases, a, r)
            activate_elements(layer.activation, r, r, layer.n_out * LANES)
            a = r
            biases += layer.n_out * TILE_VECTORS * VLEN
        layer = &model.layers[last]
        r = &work.outputs[(last % 2) * model.widest * LANES]
        lanes_net_inputs(model, layer, biases, a, space.last)
        finish_lanes(layer, space.last, r, r)
        for i in range(LANES):
            memcpy(out, r + i * layer.stride, layer.n_out * sizeof(real))
            out += layer.n_out
        start += LANES


cdef inline real* lane_deltas(const fastbp_model* model, TypedWorkspace work, const lanes_space* space,
                              int l) noexcept nogil:
    """Those of a single output stand in a row as they do in lanes."""
    return space.last if l + 1 == model.n_layers and model.layers[l].n_out > 1 else delta_of(work, l)


cdef void backward_lanes(const fastbp_model* model, TypedWorkspace work, ptrdiff_t m, bint accumulate) noexcept nogil:
    """What `backward` does, after forward_lanes."""
    cdef ptrdiff_t panels = m // LANES, p, at, n, size
    cdef lanes_space space = prepare_lanes(model, work, m)
    cdef int l, last = model.n_layers - 1
    cdef const fastbp_layer* layer = &model.layers[last]
    cdef real* d = delta_of(work, last)
    cdef real* g
    if not model.fused:
        apply_slope(model, work, last, m)
    size = LANES * layer.stride
    if layer.n_out > 1:
        for p in range(panels):
            rows_to_lanes((layer.n_out + LANE - 1) // LANE * LANE, d + p * size, layer.stride, space.last + p * size)
    for p in range(panels):
        for l in range(last, 0, -1):
            layer = &model.layers[l]
            d = delta_of(work, l - 1)
            at = p * LANES * model.layers[l - 1].stride
            n = LANES * layer.n_in
            multiply_block(layer.n_in, LANES // VLEN, layer.n_out,
                           rows_of(<const real*>model.params + layer.weights, layer.stride),
                           rows_of(lane_deltas(model, work, &space, l) + p * LANES * layer.stride, LANES),
                           TILE_VECTORS * VLEN, rows_of(NULL, 0), d + at, LANES, NULL)
            if work.places[l - 1].dropout > 0:
                multiply_elements(d + at, mask_of(work, l - 1) + at, d + at, n)
            multiply_by_slope(model.layers[l - 1].activation, net_input_of(work, l - 1) + at,
                              output_of(work, l - 1) + at, d + at, n)
    for l in range(model.n_layers):
        layer = &model.layers[l]
        d = lane_deltas(model, work, &space, l)
        size = LANES * layer.stride
        g = &work.gradient[layer.weights]
        if not accumulate:
            memset(g, 0, (layer.bias + layer.n_out - layer.weights) * sizeof(real))
        if l == 0:
            add_dots(layer.n_in, layer.n_out, panels, space.inputs, LANES * layer.n_in, d, size, g, layer.stride)
        else:
            add_dots(layer.n_in, layer.n_out, panels, kept_of(work, l - 1), LANES * model.layers[l - 1].stride,
                     d, size, g, layer.stride)
        add_dots(1, layer.n_out, panels, space.ones, 0, d, size, &work.gradient[layer.bias], layer.stride)


cdef inline bint takes_lanes(const fastbp_model* model, ptrdiff_t m) noexcept nogil:
    return m >= FASTBP_LANES_LEAST and m % LANES == 0 and trains_in_lanes(model)


cdef void forward_batch(const fastbp_model* model, TypedWorkspace work, const real* x, ptrdiff_t m) noexcept nogil:
    """Forward for output_error and backward_batch alone: all layers but the last may stand in lanes."""
    if takes_lanes(model, m):
        forward_lanes(model, work, x, m)
    else:
        forward(model, work, x, m)


cdef void backward_batch(const fastbp_model* model, TypedWorkspace work, const real* x, ptrdiff_t m,
                         fastbp_into into) noexcept nogil:
    if takes_lanes(model, m):
        backward_lanes(model, work, m, into == FASTBP_SUM)
    else:
        backward(model, work, x, m, into)
