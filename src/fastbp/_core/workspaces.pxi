# What a call needs to run a model, and the pool that it comes from. The classes' arrays are declared in _core.pxd.

cdef class Workspace:
    def __dealloc__(self):
        PyMem_RawFree(self.places)


cdef class FloatWorkspace(Workspace):
    pass


cdef class DoubleWorkspace(Workspace):
    pass


ctypedef fused AnyWorkspace:
    FloatWorkspace
    DoubleWorkspace


cdef int share_out(AnyWorkspace work, list parts) except -1:
    """The arrays of a workspace; one that only predicts has two."""
    work.outputs, work.packed = parts[0], parts[1]
    if len(parts) > 2:
        work.deltas, work.gradient, work.inputs, work.input_errors = parts[2], parts[3], parts[4], parts[5]
    return 0


@cython.final
cdef class Pool:
    """The workspaces of a network, of one purpose, that nobody uses at the moment."""
    cdef bint training
    cdef Workspace first

    cdef Workspace take(self, Model model, Py_ssize_t m, tuple dropout=None):
        """A workspace for blocks of m rows, for the caller alone until it is given back.

        Only a call whose numbers were finite gives it back: NaN would stay where no later call writes.
        """
        cdef Workspace work = self.first
        m = min(m, model.model.batch_rows)
        if work is not None:
            self.first = work.next
            if work.rows >= m and (work.dropout is dropout or work.dropout == dropout):
                return work
        return new_workspace(model, m, self.training, dropout)

    cdef inline void give_back(self, Workspace work) noexcept:
        work.next = self.first
        self.first = work


cdef Workspace new_workspace(Model model, Py_ssize_t m, bint training, tuple dropout=None,
                             bint keep_net_inputs=False):
    """For at least m rows, rounded up to a power of two: for a growing batch, few new ones are made."""
    cdef Workspace work
    cdef Py_ssize_t rows = 1, outputs, deltas = 0
    cdef list sizes
    cdef cnp.ndarray block
    while rows < m:
        rows *= 2
    if model.typenum == cnp.NPY_DOUBLE:
        work = DoubleWorkspace.__new__(DoubleWorkspace)
    else:
        work = FloatWorkspace.__new__(FloatWorkspace)
    work.rows, work.dropout, work.drops = rows, dropout, dropout is not None
    if training:
        outputs = find_places(model, work, keep_net_inputs, &deltas)
        sizes = [outputs, max(model.kernels.packed_size(&model.model, rows, True), 1), deltas, model.model.n_params,
                 rows * model.n_inputs, rows * padded(model.n_inputs, model.lanes)]
    else:
        # The outputs of two layers, in turn.
        sizes = [2 * padded(rows * model.model.widest, model.lanes),
                 max(model.kernels.packed_size(&model.model, rows, False), 1)]
    line = 64 // model.itemsize     # each begins on a cache line of its own
    block, start, parts = aligned_zeros(sum([padded(size, line) + line for size in sizes]), model.dtype), 0, []
    work.memory, work.n_bytes = cnp.PyArray_DATA(block), cnp.PyArray_NBYTES(block)
    for size in sizes:
        parts.append(block[start:start + size])
        start += padded(size, line) + line
    if model.typenum == cnp.NPY_DOUBLE:
        share_out(<DoubleWorkspace>work, parts)
    else:
        share_out(<FloatWorkspace>work, parts)
    return work


cdef Workspace new_view(Model model, Workspace work):
    """A view of the arrays of a workspace that trains, with its own places and its own space for packed matrices."""
    cdef Workspace view
    packed = aligned_zeros(max(model.kernels.packed_size(&model.model, work.rows, True), 1), model.dtype)
    if model.typenum == cnp.NPY_DOUBLE:
        view = DoubleWorkspace.__new__(DoubleWorkspace)
        share_view(<DoubleWorkspace>view, <DoubleWorkspace>work, packed)
    else:
        view = FloatWorkspace.__new__(FloatWorkspace)
        share_view(<FloatWorkspace>view, <FloatWorkspace>work, packed)
    view.rows = work.rows
    view.places = <fastbp_place*>PyMem_RawCalloc(model.model.n_layers, sizeof(fastbp_place))
    if view.places == NULL:
        raise MemoryError(f"there is no memory for {model.model.n_layers} layers")
    memcpy(view.places, work.places, model.model.n_layers * sizeof(fastbp_place))
    return view


cdef int share_view(AnyWorkspace view, AnyWorkspace work, packed) except -1:
    view.outputs, view.deltas, view.gradient = work.outputs, work.deltas, work.gradient
    view.inputs, view.input_errors, view.packed = work.inputs, work.input_errors, packed
    return 0


cdef Py_ssize_t find_places(Model model, Workspace work, bint keep_net_inputs, Py_ssize_t* deltas) except -1:
    """Fill in the workspace's places; the size of its outputs, and of its deltas."""
    cdef Py_ssize_t at = 0, size, line = 64 // model.itemsize
    cdef int l, n_layers = model.model.n_layers
    cdef const fastbp_layer* layer
    cdef fastbp_place* place
    work.places = <fastbp_place*>PyMem_RawCalloc(n_layers, sizeof(fastbp_place))
    if work.places == NULL:
        raise MemoryError(f"there is no memory for {n_layers} layers")
    for l in range(n_layers):
        place = &work.places[l]
        place.output = place.net_input = place.kept = at
        # Whole vectors are read at a time, also where a single output has stride 1. A cache line is left free behind
        # each layer: what lies 4096 bytes apart is taken for the same place, and 32 rows of 32 float32 are as many.
        at += padded(work.rows * model.model.layers[l].stride, line) + line
    deltas[0] = at
    for l in range(n_layers):
        layer, place = &model.model.layers[l], &work.places[l]
        size = padded(work.rows * layer.stride, line) + line
        # A fused loss is a function of the outputs' logarithms, which the net inputs still tell when they are 0.
        if keep_net_inputs or slope_at_net_input(layer.activation) or (l + 1 == n_layers and model.model.fused):
            place.net_input = at
            at += size
        place.slope = at
        at += padded(layer.stride, line)
        if work.drops and l + 1 < n_layers and work.dropout[l] > 0:
            place.dropout = work.dropout[l]
            place.mask, place.kept = at, at + size
            at += 2 * size
    return at
