# What a network is: constant while it is read, by any number of calls at a time.

# How often train_step looks whether targets can be reached: on-line learning shows them one by one.
cdef enum:
    LOOKS = 64
# How far targets may be outside the outputs' range: scaled ones often are, by a rounding or two.
cdef double ROUNDING = 1e-6


cdef class Model(Layout):
    """Layers, loss, parameters and outputs; the lock that says who may work with them, and the idle workspaces.

    Parameters
    ----------
    layer_sizes : sequence of int
        Number of inputs, then of neurons in each layer; all positive.
    activations : sequence of str
        One of the keys of `ACTIVATIONS` for each layer.
    loss : object
        As the user gave it.
    kind : str or callable
        A key of `LOSSES`, or the loss itself.
    parameter : float
        Of that loss, where it has one.
    fused : bool
        Whether loss and last activation belong together: the loss sends back d = dE/dr (loss.pxi).
    targets : tuple of float
        Least and largest target for which the loss is defined.
    reach : tuple of float
        The range of the outputs.
    reduction : str
        As `fastbp.Network` has checked it.
    dtype : numpy.dtype
        float32 or float64.
    """
    cdef bint mean
    cdef double targets_from, targets_to
    cdef double reach_from, reach_to
    cdef int looks      # how many times train_step will still look at its targets; -1: there has been a warning
    cdef readonly tuple activations, weights, biases
    cdef readonly str reduction
    cdef readonly object loss
    cdef object custom          # the loss where it is a callable
    cdef cnp.ndarray storage    # of the parameters
    cdef Lock lock
    cdef Pool predicting, training

    def __cinit__(self, *args, **kwargs):
        self.lock = Lock()
        self.predicting, self.training = Pool.__new__(Pool), Pool.__new__(Pool)
        self.training.training = True

    def __init__(self, layer_sizes, activations, loss, kind, double parameter, bint fused, tuple targets, tuple reach,
                 reduction, dtype):
        cdef int l
        self.lay_out(tuple(layer_sizes), dtype)
        self.activations, self.loss, self.reduction = tuple(activations), loss, reduction
        self.mean = reduction == "mean"
        self.custom = kind if callable(kind) else None
        self.targets_from, self.targets_to = targets
        self.reach_from, self.reach_to = reach
        self.looks = LOOKS
        self.model.loss = FASTBP_CUSTOM if callable(kind) else LOSSES[kind]
        self.model.loss_parameter = parameter
        self.model.fused = fused
        for l in range(self.model.n_layers):
            self.model.layers[l].activation = ACTIVATIONS[activations[l]]
        self.model.batch_rows = self.kernels.batch_rows(&self.model)
        storage = self.zeros()
        self.model.params = cnp.PyArray_DATA(storage)
        self.weights = tuple([self.view(storage, l, True) for l in range(self.model.n_layers)])
        self.biases = tuple([self.view(storage, l, False) for l in range(self.model.n_layers)])
        self.storage = storage
        self.n_inputs = self.layer_sizes[0]     # the last line: from now on arrays fit

    cdef inline void begin_change(self) noexcept nogil:
        fastbp_begin_change(&self.lock.changes)

    cdef inline void end_change(self) noexcept nogil:
        fastbp_end_change(&self.lock.changes)

    cdef object view(self, cnp.ndarray storage, int l, bint weights):
        """A live view of W_l or b_l."""
        cdef fastbp_layer* layer = &self.model.layers[l]
        if weights:
            return np.ndarray((layer.n_in, layer.n_out), self.dtype, storage, layer.weights * self.itemsize,
                              (layer.stride * self.itemsize, self.itemsize))
        return np.ndarray((layer.n_out,), self.dtype, storage, layer.bias * self.itemsize)

    cdef int look_at(self, cnp.ndarray targets) except -1:
        """Warn, once, of targets that the outputs cannot reach."""
        if cnp.PyArray_TYPE(targets) == self.typenum and (
                self.model.layers[self.model.n_layers - 1].activation == FASTBP_SOFTMAX
                or not self.kernels.all_within(cnp.PyArray_DATA(targets), cnp.PyArray_SIZE(targets),
                                               self.reach_from - ROUNDING, self.reach_to + ROUNDING)):
            if warn_of_targets(targets, self.activations[self.model.n_layers - 1], self.reach_from, self.reach_to):
                self.looks = -1
        return 0

    def _look_no_more(self):
        """Never warn of targets: another network has looked at them."""
        self.looks = -1

    cdef int demand_storage(self) except -1:
        if self.storage is None:
            raise ValueError("the network has not been initialised: its __init__ did not run to the end")
        return 0

    def _waiting(self):
        """How many threads are waiting for the network."""
        return self.lock.waiting

    @property
    @cython.critical_section
    def params(self):
        """All parameters as a new vector: layer by layer, W_l row by row and then b_l. Set it to change them all.

        The vector is read-only, because writing into the copy would change nothing; write into `weights` and `biases`,
        or assign a whole vector of shape (n_params,), as ``net.params = net.params + x`` does.
        """
        cdef cnp.ndarray vector
        cdef cnp.npy_intp length = self.n_params
        cdef bint counted
        self.demand_storage()
        # Before the lock: nothing may come between asking it and copying.
        vector = cnp.PyArray_New(Parameters, 1, &length, self.typenum, NULL, NULL, 0, 0, None)
        counted = self.lock.enter_shortly(False)
        self.kernels.copy_params(&self.model, self.model.params, cnp.PyArray_DATA(vector), True)
        if counted:
            self.lock.leave()
        cnp.PyArray_CLEARFLAGS(vector, cnp.NPY_ARRAY_WRITEABLE)
        return vector

    @params.setter
    @cython.critical_section
    def params(self, values):
        cdef cnp.ndarray vector
        cdef bint counted
        self.demand_storage()
        vector = self.vector(values, "params")
        if overlap(vector, self.storage):
            vector = cnp.PyArray_NewCopy(vector, cnp.NPY_CORDER)    # a view of the parameters themselves
        counted = self.lock.enter_shortly(True)
        self.begin_change()
        self.kernels.copy_params(&self.model, self.model.params, cnp.PyArray_DATA(vector), False)
        self.end_change()
        if counted:
            self.lock.leave()

    def predict(self, X, out=None, *, threads=None):
        """Outputs of the network.

        Parameters
        ----------
        X : array_like, shape (n_inputs,) or (M, n_inputs)
            One sample or M of them. NaN and infinity are allowed. A contiguous array of the network's dtype is read in
            place; anything else is converted first, a large memory map in blocks of rows.
        out : ndarray, shape (n_outputs,) or (M, n_outputs), optional
            Where to write the outputs: of the network's dtype, contiguous, writable, not overlapping X or the
            parameters.
        threads : int, optional
            How many threads may share the work, if there is enough of it; by default `fastbp.get_num_threads()`.

        Returns
        -------
        ndarray, shape (n_outputs,) or (M, n_outputs)
            `out`, or a new array of the network's dtype.

        Raises
        ------
        ValueError, TypeError
            If X or out has the wrong shape, length, dtype or layout.

        Examples
        --------
        >>> import fastbp
        >>> net = fastbp.Network([2, 1], init=[([[1.0], [2.0]], [3.0])], activation="identity")
        >>> net.predict([10.0, 20.0])
        array([53.])
        """
        cdef cnp.ndarray x, y
        cdef int ndim, count = 0
        cdef cnp.npy_intp shape[2]
        if threads is not None:
            count = thread_count("threads", threads)
        if is_ready(self, X):
            x = X
        elif isinstance(X, np.ndarray) and cnp.PyArray_NDIM(<cnp.ndarray>X) == 2 and is_large_map(
                np.asarray(X), self.dtype):
            return self.predict_blocks(np.asarray(X), out, threads)
        else:
            x = reals(self, X, "X")
        demand_inputs(self, x, "X")
        ndim = cnp.PyArray_NDIM(x)
        shape[0] = cnp.PyArray_DIM(x, 0)
        shape[ndim - 1] = self.n_outputs
        if out is None:
            y = cnp.PyArray_SimpleNew(ndim, shape, self.typenum)
        else:
            y = checked_out(self, out, tuple([shape[i] for i in range(ndim)]))
            demand_apart(y, x, "X")
        self.predict_rows(cnp.PyArray_DATA(x), 1 if ndim == 1 else shape[0], cnp.PyArray_DATA(y), count)
        return y

    cdef object predict_blocks(self, cnp.ndarray X, out, threads):
        """The outputs for a memory map of which the core needs a copy, made for one block of rows at a time."""
        cdef Py_ssize_t start, rows
        demand_inputs(self, X, "X")
        shape = (len(X), self.n_outputs)
        y = np.empty(shape, self.dtype) if out is None else checked_out(self, out, shape)
        if np.may_share_memory(y, X):
            raise ValueError("out must not overlap X")
        rows = rows_at_once(X, self.dtype)
        for start in range(0, len(X), rows):
            self.predict(X[start:start + rows], y[start:start + rows], threads=threads)
        return y

    @cython.critical_section
    cdef int predict_rows(self, const void* x, Py_ssize_t m, void* y, int threads=0) except -1:
        cdef Workspace work = self.predicting.take(self, m)
        cdef bint counted
        if <double>m * self.model.n_params < LONG_WORK:
            counted = self.lock.enter_shortly(False)
            self.kernels.predict(&self.model, work, x, m, y)
            if counted:
                self.lock.leave()
        else:
            self.predict_for_long(work, x, m, y, threads)
        self.predicting.give_back(work)
        return 0

    cdef int predict_for_long(self, Workspace work, const void* x, Py_ssize_t m, void* y, int threads) except -1:
        """predict_rows() by several threads, without the GIL; a function apart for the crew's kilobytes of stack."""
        cdef Crew crew
        cdef bint shared = is_shared(self, &crew, work, m, threads)
        self.lock.enter(False)
        crew.team = recruit(crew.threads) if shared else NULL
        with nogil:
            if shared:
                share_prediction(&crew, x, m, y)
            else:
                self.kernels.predict(&self.model, work, x, m, y)
        dismiss(crew.team)
        self.lock.leave()
        return 0
