# Populations: the arrays of many networks of one architecture, and the calls of the kernels that compute them in lanes.

cdef struct PopulationWork:
    const fastbp_population* job
    void (*function)(const fastbp_population*, ptrdiff_t first, ptrdiff_t groups, void* space) noexcept nogil
    char* space             # one after another for each member of the team
    ptrdiff_t bytes, lanes
    Interruption* interruption      # null where it cannot be interrupted
    double multiplications          # of a piece
    double unasked                  # multiplications of the caller's since it looked for signals


cdef void work_on_bundle(void* job, int piece, int member) noexcept nogil:
    cdef PopulationWork* work = <PopulationWork*>job
    cdef ptrdiff_t first = piece * FASTBP_BUNDLE * work.lanes
    cdef ptrdiff_t groups = (work.job.n - first + work.lanes - 1) // work.lanes
    if work.interruption != NULL:
        if member == 0:
            work.unasked += work.multiplications
            if work.unasked > PATIENCE:
                work.unasked = 0
                is_interrupted(work.interruption)
        if atomic_get(&work.interruption.raised):
            return
    work.function(work.job, first, min(groups, <ptrdiff_t>FASTBP_BUNDLE), work.space + member * work.bytes)


cdef cnp.ndarray bytes_of_zeros(Py_ssize_t count):
    return aligned_zeros(count, np.dtype(np.uint8))


cdef class PopulationCore:
    """Parameters of many networks, and predictions; `fastbp.Population` is what users see.

    The lock (lock.pxi) says who may work with the parameters. What trains in Python takes a Turn; what only reads there
    works with a copy, because Python may run a signal's handler, which might wait for its own thread.
    """
    cdef readonly Model _net            # the architecture
    cdef readonly Py_ssize_t n
    cdef readonly tuple layer_sizes, activations, weights, biases
    cdef readonly object loss, dtype
    cdef readonly str reduction
    cdef readonly Py_ssize_t n_inputs, n_outputs, n_params
    cdef readonly bint _in_lanes        # the kernels compute them so; otherwise one after another
    cdef cnp.ndarray storage            # (n_params, row)
    cdef readonly cnp.ndarray _params   # (n, n_params), the same numbers; only for those who have their turn
    cdef cnp.ndarray space              # what the last call has worked in, if no other call has it
    cdef const fastbp_kernels* kernels
    cdef Lock lock

    def __cinit__(self, *args, **kwargs):
        self.lock = Lock()

    def _turn(self):
        """For `with`: one's turn to have the population alone."""
        self.demand_storage()
        cdef Turn turn = Turn.__new__(Turn)
        turn.pop = self
        return turn

    def _copied(self, index=...):
        """A copy of all parameters, or of those of one network."""
        self.demand_storage()
        self.enter(False)
        try:
            return np.array(self._params[index], order="C")
        finally:
            self.leave()

    def _assign(self, cnp.ndarray values not None):
        self.demand_storage()
        self.enter(True)
        try:
            self._params[...] = values
        finally:
            self.leave()

    @cython.critical_section
    cdef int enter(self, bint exclusive, bint runs_python=False) except -1:
        return self.lock.enter(exclusive, runs_python)

    @cython.critical_section
    cdef int leave(self) except -1:
        self.lock.leave()
        return 0

    def _lay_out(self, Model net not None, Py_ssize_t n):
        """Take up zeroed parameters for n networks like this one."""
        # A group must fill the longest vectors; narrow networks alone would take shorter ones.
        cdef Py_ssize_t row = padded(n, 64 // net.itemsize)
        if <double>row * net.n_params * net.itemsize > 2.0**62:
            raise MemoryError(f"{n} networks of {net.n_params} parameters do not fit into memory")
        # Networks side by side, as in the lanes of a vector; views of each network are possible all the same.
        storage = aligned_zeros(row * net.n_params, net.dtype).reshape(net.n_params, row)
        params, weights, biases, start = storage[:, :n].T, [], [], 0
        for n_in, n_out in zip(net.layer_sizes, net.layer_sizes[1:]):
            end = start + n_in * n_out
            weights.append(params[:, start:end].reshape(n, n_in, n_out))
            biases.append(params[:, end:end + n_out])
            start = end + n_out
        self.adopt(net, n, storage, params, tuple(weights), tuple(biases))

    @cython.critical_section
    cdef int adopt(self, Model net, Py_ssize_t n, cnp.ndarray storage, cnp.ndarray params, tuple weights,
                   tuple biases) except -1:
        if self.storage is not None:
            raise TypeError("a population cannot be initialised twice")
        self.kernels = in_force[net.typenum == cnp.NPY_DOUBLE][1]
        self._in_lanes = self.kernels.suits_population(&net.model)
        self.layer_sizes, self.activations, self.loss = net.layer_sizes, net.activations, net.loss
        self.weights, self.biases, self.reduction, self.dtype = weights, biases, net.reduction, net.dtype
        self.n_inputs, self.n_outputs, self.n_params = net.n_inputs, net.n_outputs, net.n_params
        self._net, self.n, self._params, self.storage = net, n, params, storage
        return 0

    cdef void describe(self, fastbp_population* job, Py_ssize_t m) noexcept:
        memset(job, 0, sizeof(job[0]))
        job.model, job.n, job.m = &self._net.model, self.n, m
        job.row = cnp.PyArray_DIM(self.storage, 1)
        job.params = cnp.PyArray_DATA(self.storage)
        job.mean_error = self._net.mean

    @cython.critical_section
    cdef int work(self, fastbp_population* job, void (*function)(
            const fastbp_population*, ptrdiff_t first, ptrdiff_t groups, void* space) noexcept nogil,
            double multiplications, int threads, bint has_turn) except -1:
        """Let threads share the bundles; a short call keeps the GIL. A caller without a turn waits for one to read.

        A long call in one's turn can be interrupted. A reader cannot, since the handler of a signal might wait for it.
        """
        cdef PopulationWork work
        cdef Interruption interruption
        cdef Team* team
        cdef cnp.ndarray space = self.space
        cdef int pieces, i
        cdef bint counted = False
        self.space = None       # no other call may have it meanwhile
        work.job, work.function, work.lanes = job, function, self.kernels.vector_bytes // self._net.itemsize
        work.bytes = padded(self.kernels.population_bytes(job), 64)
        work.interruption, work.unasked, interruption.raised = NULL, 0, 0
        pieces = <int>((self.n + FASTBP_BUNDLE * work.lanes - 1) // (FASTBP_BUNDLE * work.lanes))
        threads = <int>max(1.0, min(<double>min(threads, pieces), 2 * multiplications / SHARED_WORK))
        if space is None or cnp.PyArray_SIZE(space) < threads * work.bytes:
            space = bytes_of_zeros(threads * work.bytes)
        work.space = <char*>cnp.PyArray_DATA(space)
        if multiplications < LONG_WORK:
            if not has_turn:
                counted = self.lock.enter_shortly(False)
            for i in range(pieces):
                work_on_bundle(&work, i, 0)
        else:
            if not has_turn:
                self.lock.enter(False)
                counted = True
            else:
                interruption.caller = PyThread_get_thread_ident()
                work.interruption = &interruption
                work.multiplications = multiplications / pieces
                job.is_interrupted, job.interruption = is_interrupted, &interruption
                job.patience = max(1, <ptrdiff_t>(PATIENCE / (3.0 * self._net.n_params * work.lanes)))
            team = recruit(threads)
            with nogil:
                run(team, pieces, work_on_bundle, &work, work.interruption)
            dismiss(team)
        if counted:
            self.lock.leave()
        self.space = space
        if interruption.raised:
            return -1           # with the exception that the handler has raised
        return 0

    def predict(self, X, out=None):
        """Outputs of each network.

        Parameters
        ----------
        X : array_like, shape (n_inputs,), (M, n_inputs) or (n, M, n_inputs)
            The same samples for all networks, or those of each. NaN and infinity are allowed.
        out : ndarray, shape (n, n_outputs) or (n, M, n_outputs), optional
            Where to write the outputs: of the population's dtype, contiguous, writable, not overlapping X or the
            parameters.

        Returns
        -------
        ndarray, shape (n, n_outputs) or (n, M, n_outputs)
            `out`, or a new array.

        Raises
        ------
        ValueError, TypeError
            If X or out has the wrong shape, length, dtype or layout.

        Examples
        --------
        >>> import fastbp, numpy as np
        >>> pop = fastbp.Population(2, [1, 1], "identity", init=[[1.0, 0.0], [2.0, 0.5]])
        >>> pop.predict([10.0])
        array([[10. ], [20.5]])
        >>> pop.predict(np.array([[[1.0]], [[2.0]]]))
        array([[[1. ]], [[4.5]]])
        """
        cdef cnp.ndarray x = self._inputs(X), y
        cdef int ndim = cnp.PyArray_NDIM(x)
        cdef cnp.npy_intp shape[3]
        cdef fastbp_population job
        shape[0], shape[1] = self.n, cnp.PyArray_DIM(x, max(0, ndim - 2))
        shape[1 if ndim == 1 else 2] = self._net.n_outputs
        if out is None:
            y = cnp.PyArray_SimpleNew(2 if ndim == 1 else 3, shape, self._net.typenum)
        else:
            y = checked_out(self._net, out, tuple([shape[i] for i in range(2 if ndim == 1 else 3)]))
            demand_apart(y, x, "X")
            demand_apart(y, self.storage, "the population's parameters")
        if not self._in_lanes:
            self._predict_one_by_one(x, y)
            return y
        self.describe(&job, 1 if ndim == 1 else shape[1])
        job.x, job.out = cnp.PyArray_DATA(x), cnp.PyArray_DATA(y)
        job.row_numbers = self._net.n_inputs
        job.x_network = job.m * job.row_numbers if ndim == 3 else 0
        self.work(&job, self.kernels.predict_population, <double>job.n * job.m * self._net.n_params,
                  atomic_get(&fastbp_num_threads), False)
        return y

    def _inputs(self, X):
        """X as a contiguous array of the population's dtype."""
        cdef cnp.ndarray x
        cdef int ndim
        self.demand_storage()
        x = reals(self._net, X, "X")
        ndim = cnp.PyArray_NDIM(x)
        if not (1 <= ndim <= 3 and cnp.PyArray_DIM(x, ndim - 1) == self._net.n_inputs
                and (ndim < 3 or cnp.PyArray_DIM(x, 0) == self.n)):
            n_in = self._net.n_inputs
            raise ValueError(f"X must have the shape ({n_in},) or (M, {n_in}) for the same samples in all networks, or "
                             f"({self.n}, M, {n_in}) for samples of each, got {np.shape(x)}")
        return x

    cdef int demand_storage(self) except -1:
        if self.storage is None:
            raise ValueError("the population has not been initialised: its __init__ did not run to the end")
        return 0


@cython.final
cdef class Turn:
    """The time for which a training has a population alone; meanwhile its thread may not use it in another way.

    Ctrl-C cannot come between `with` and the first statement.
    """
    cdef PopulationCore pop

    def __enter__(self):
        self.pop.enter(True, True)

    def __exit__(self, *exception):
        self.pop.leave()


cdef Py_ssize_t row_numbers(PopulationCore pop):
    """Numbers of a row: inputs, 1 and targets, in whole pieces of 128 bits."""
    return padded(pop._net.n_inputs + 1 + pop._net.n_outputs, 16 // pop._net.itemsize)


cdef class PopulationJob:
    """Checked samples for a population's networks in lanes.

    Parameters
    ----------
    pop : PopulationCore
    rows : ndarray, shape (m, row_numbers) or (n, m, row_numbers)
        Inputs, 1, targets and padding, as kernels.h has it.
    labels : ndarray of intp, shape (m,) or (n, m), or None
    weights : ndarray, shape (m,) or (n, m), or None
    """
    cdef PopulationCore pop
    cdef fastbp_population job
    cdef tuple arrays       # those that the job points to
    cdef cnp.ndarray mean, square

    def __init__(self, PopulationCore pop not None, cnp.ndarray rows not None, cnp.ndarray labels,
                 cnp.ndarray weights):
        cdef Py_ssize_t m = rows.shape[rows.ndim - 2]
        cdef cnp.ndarray totals = np.full(pop.n, float(m))
        pop.demand_storage()
        if (np.shape(rows) not in ((m, row_numbers(pop)), (pop.n, m, row_numbers(pop))) or not is_ready(pop._net, rows)
                or (labels is not None and (np.shape(labels) not in ((m,), (pop.n, m)) or labels.dtype != np.intp))
                or (weights is not None and (np.shape(weights) not in ((m,), (pop.n, m))
                                             or not is_ready(pop._net, weights)))):
            raise ValueError("rows, labels and weights must be as kernels.h has them")
        self.pop = pop
        pop.describe(&self.job, m)
        self.job.x, self.job.row_numbers = cnp.PyArray_DATA(rows), cnp.PyArray_DIM(rows, cnp.PyArray_NDIM(rows) - 1)
        self.job.x_network = m * self.job.row_numbers if cnp.PyArray_NDIM(rows) == 3 else 0
        if labels is not None:
            self.job.labels = <const ptrdiff_t*>cnp.PyArray_DATA(labels)
            self.job.labels_network = m if cnp.PyArray_NDIM(labels) == 2 else 0
        if weights is not None:
            self.job.weights = cnp.PyArray_DATA(weights)
            self.job.weights_network = m if cnp.PyArray_NDIM(weights) == 2 else 0
            totals[:] = weights.sum(axis=-1, dtype=np.float64)
        self.job.total_weights = <const double*>cnp.PyArray_DATA(totals)
        self.arrays = (rows, labels, weights, totals)

    cdef double multiplications(self, Py_ssize_t epochs):
        return 3.0 * self.job.n * self.job.m * self.pop._net.n_params * epochs

    def errors(self, gradients=None, threads=1, bint has_turn=False):
        """(2, n): E and RMS error of each network; gradients: where to write them, (n, n_params)."""
        cdef cnp.ndarray results = np.empty((2, self.job.n)), columns
        cdef fastbp_population job = self.job
        job.error = <double*>cnp.PyArray_DATA(results)
        job.rms = job.error + job.n
        if gradients is not None:
            columns = np.empty_like(self.pop.storage)
            job.gradient = cnp.PyArray_DATA(columns)
        self.pop.work(&job, self.pop.kernels.differentiate_population, self.multiplications(1), threads,
                      has_turn)
        if gradients is not None:
            gradients[...] = columns[:, :job.n].T
        return results

    def train(self, Optimizer optimizer not None, Py_ssize_t batch, cnp.ndarray rates not None, l1, l2, streams,
              double desired, cnp.ndarray runaway not None, cnp.ndarray stopped not None,
              cnp.ndarray error not None, cnp.ndarray rms not None, Py_ssize_t column, Py_ssize_t epoch,
              Py_ssize_t epochs, threads=1):
        """Train for some epochs, in one's turn to have the population alone; their errors go to (n, ...) arrays from
        `column` on.

        rates, runaway, l1, l2: float64, one a network, or for l1 and l2 None. streams: uint64, one a network, or None
        for the samples as they stand. stopped: of C's int, one a network: why it does not train, or 0.
        """
        cdef fastbp_population job = self.job
        cdef cnp.ndarray penalties
        job.optimizer = optimizer.numbers
        if epoch == 0 and methods[job.optimizer.method].has_mean:
            self.mean = np.zeros_like(self.pop.storage)
        if epoch == 0 and methods[job.optimizer.method].has_square:
            self.square = np.zeros_like(self.pop.storage)
        job.mean = NULL if self.mean is None else cnp.PyArray_DATA(self.mean)
        job.square = NULL if self.square is None else cnp.PyArray_DATA(self.square)
        job.optimizer.steps = epoch * ((job.m + batch - 1) // batch)
        job.batch, job.epoch, job.epochs = batch, epoch, epochs
        job.divided = optimizer.is_divided and not self.pop._net.mean
        job.desired, job.runaway = desired, <const double*>cnp.PyArray_DATA(runaway)
        job.rates = <const double*>cnp.PyArray_DATA(rates)
        if l1 is not None:
            penalties = l1
            job.l1 = <const double*>cnp.PyArray_DATA(penalties)
        if l2 is not None:
            penalties = l2
            job.l2 = <const double*>cnp.PyArray_DATA(penalties)
        if streams is not None:
            penalties = streams
            job.streams = <const uint64_t*>cnp.PyArray_DATA(penalties)
        job.stopped = <int*>cnp.PyArray_DATA(stopped)
        job.history = cnp.PyArray_DIM(error, 1)
        job.error = <double*>cnp.PyArray_DATA(error) + column
        job.rms = <double*>cnp.PyArray_DATA(rms) + column
        self.pop.work(&job, self.pop.kernels.train_population, self.multiplications(epochs), threads, True)

    @staticmethod
    def trains(PopulationCore pop not None, Optimizer optimizer not None, Py_ssize_t batch):
        """Whether networks are trained in lanes by this optimizer."""
        return bool(pop.kernels.trains_as_population(&pop._net.model, &optimizer.numbers, batch))
