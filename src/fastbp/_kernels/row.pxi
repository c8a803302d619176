# One sample: what on-line learning and the prediction of a single row do in place of the loops over many rows.
#
# A chain of narrow layers is a chain of waiting: what is stored and read again at once costs eight cycles and, where
# one number was stored and a whole vector is read, some twenty. So a vector of net inputs becomes outputs, and in the
# last layer deltas, while it is in a register.

cdef struct row_target:
    const real* t
    real* delta
    vec scale               # of the deltas
    vec squares             # the sums of (y - t)**2


cdef inline void finish_vector(const fastbp_layer* layer, ptrdiff_t v, vec r, real* net_input, real* output,
                               real* slopes, row_target* target) noexcept nogil:
    """From vector v of the net inputs to outputs, or to deltas of the squared error where there is a target."""
    cdef ptrdiff_t j = v * VLEN, lanes = layer.n_out - j
    cdef vec difference, slope, a = v_activate(layer.activation, r, &slope)
    if target != NULL:
        difference = v_sub(a, v_load_first(target.t + j, lanes))
        if lanes < VLEN:
            difference = v_and(v_first_lanes(lanes), difference)
        target.squares = v_fma(difference, difference, target.squares)
        v_store(target.delta + j, v_mul(v_mul(target.scale, difference), slope))
        return
    if layer.mask_padding and lanes < VLEN:
        a = v_and(v_first_lanes(lanes), a)
    if net_input != output:
        v_store(net_input + j, r)
    if slopes != NULL:
        v_store(slopes + j, slope)
    v_store(output + j, a)


cdef void forward_row(const fastbp_model* model, const fastbp_layer* layer, const real* x, real* net_input,
                      real* output, real* slopes, row_target* target) noexcept nogil:
    """One layer, not a softmax, for one row x."""
    cdef const real* w = <const real*>model.params + layer.weights
    cdef const real* b = <const real*>model.params + layer.bias
    cdef ptrdiff_t vectors = layer.stride // VLEN, v = 0
    cdef vec sums[4]
    cdef int wide, k
    if layer.n_out == 1:
        finish_vector(layer, 0, v_set1(b[0] + dot(layer.n_in, x, w)), net_input, output, slopes, target)
        v = vectors     # of which plain C, whose vectors have one lane, counts one
    while v < vectors:
        wide = row_vectors(vectors - v, layer.n_in, x, w + v * VLEN, layer.stride, b + v * VLEN, sums)
        for k in range(wide):
            finish_vector(layer, v + k, sums[k], net_input, output, slopes, target)
        v += wide


cdef void errors_of_row(const fastbp_layer* layer, const real* w, const real* d, const real* slopes_before,
                        real* e) noexcept nogil:
    """e = d W^T, times the slopes of the layer before (unless null): dot products of the rows of W with d."""
    cdef ptrdiff_t i = 0
    cdef vec errors
    while i < layer.n_in:
        if layer.n_out == 1:
            errors = v_mul(v_set1(d[0]), v_load(w + i))
        else:
            errors = row_dots(layer.n_in - i, layer.stride // VLEN, w + i * layer.stride, layer.stride, d)
        if slopes_before != NULL:
            errors = v_mul(errors, v_load(slopes_before + i))
        v_store(e + i, errors)
        i += VLEN
