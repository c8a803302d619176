# Where a layer's rows begin in the caller's workspace. The pointers are taken once a layer and row or block, and what
# works on whole vectors goes on from there: vector operations take pointers. In a FASTBP_DEBUG build each of these
# is checked against the bounds of its array.

cdef inline real* output_of(TypedWorkspace work, int l) noexcept nogil:
    return &work.outputs[work.places[l].output]


cdef inline real* net_input_of(TypedWorkspace work, int l) noexcept nogil:
    """That of the outputs, unless the slope is taken at the net input."""
    return &work.outputs[work.places[l].net_input]


cdef inline real* slope_of(TypedWorkspace work, int l) noexcept nogil:
    """Of a single row."""
    return &work.outputs[work.places[l].slope]


cdef inline real* kept_of(TypedWorkspace work, int l) noexcept nogil:
    """What the next layer takes as its input: the outputs, or those that dropout leaves."""
    return &work.outputs[work.places[l].kept]


cdef inline real* delta_of(TypedWorkspace work, int l) noexcept nogil:
    """The error signal e = dE/da, which apply_slope makes the delta d = dE/dr."""
    return &work.deltas[work.places[l].output]


cdef inline real* errors_before(TypedWorkspace work, int l) noexcept nogil:
    """Where layer l sends its error signal: the delta of the layer before, or the inputs' error."""
    return &work.input_errors[0] if l == 0 else delta_of(work, l - 1)


cdef void copy_rows(const fastbp_model* model, TypedWorkspace work, fastbp_rows what, int l, ptrdiff_t m, real* to,
                    ptrdiff_t start) noexcept nogil:
    cdef const fastbp_layer* layer = &model.layers[l]
    cdef const real* rows
    cdef ptrdiff_t i
    if what == FASTBP_DELTAS:
        rows = delta_of(work, l)
    else:
        rows = output_of(work, l) if what == FASTBP_OUTPUTS else net_input_of(work, l)
    for i in range(m):
        memcpy(to + (start + i) * layer.n_out, rows + i * layer.stride, layer.n_out * sizeof(real))


cdef void set_errors(const fastbp_model* model, TypedWorkspace work, int l, const real* errors, ptrdiff_t start,
                     ptrdiff_t m) noexcept nogil:
    """Compact rows from `start` on become the error signal of a layer."""
    cdef const fastbp_layer* layer = &model.layers[l]
    cdef real* e = delta_of(work, l)
    cdef ptrdiff_t i
    memset(e, 0, m * layer.stride * sizeof(real))
    for i in range(m):
        memcpy(e + i * layer.stride, errors + (start + i) * layer.n_out, layer.n_out * sizeof(real))


cdef void copy_params(const fastbp_model* model, real* padded_params, real* compact, bint to_compact) noexcept nogil:
    cdef const fastbp_layer* layer
    cdef real* row
    cdef ptrdiff_t rows, n, i
    cdef int l
    for l in range(model.n_layers):
        layer = &model.layers[l]
        # A single output's W is one row of n_in, else there are n_in rows of n_out; the bias is one row more.
        rows = 1 if layer.n_out == 1 else layer.n_in
        n = layer.n_in if layer.n_out == 1 else layer.n_out
        for i in range(rows + 1):
            row = padded_params + layer.weights + i * layer.stride
            if i == rows:
                row, n = padded_params + layer.bias, layer.n_out
            if to_compact:
                memcpy(compact, row, n * sizeof(real))
            else:
                memcpy(row, compact, n * sizeof(real))
            compact += n


cdef inline bint padding_is_zero(const fastbp_model* model, const real* flat) noexcept nogil:
    """Whether the padding of parameters, gradient or state (or null) is zero; FASTBP_DEBUG builds ask for it."""
    cdef const fastbp_layer* layer
    cdef ptrdiff_t i, j, end
    cdef int l
    for l in range(model.n_layers if flat != NULL else 0):
        layer = &model.layers[l]
        end = model.layers[l + 1].weights if l + 1 < model.n_layers else model.n_params
        for j in range(layer.bias + layer.n_out, end):
            if flat[j] != 0:
                return False
        if layer.n_out == 1:
            for j in range(layer.weights + layer.n_in, layer.bias):
                if flat[j] != 0:
                    return False
            continue
        for i in range(layer.n_in):
            for j in range(layer.n_out, layer.stride):
                if flat[layer.weights + i * layer.stride + j] != 0:
                    return False
    return True
