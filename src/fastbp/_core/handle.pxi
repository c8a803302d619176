# Networks in other people's compiled loops. include/fastbp.h says what the functions do; they run without the GIL.
#
# A reader takes no lock. Whoever changes the parameters counts `changes` up before and after, so that it is odd while
# they change. A reader looks at it before and after its work, and works again if it has changed (a seqlock, as in the
# Linux kernel). A reader that finds it odd, or that twice was too late, takes the GIL and its turn at the network's
# lock. So does each step, except between begin and end, which hold the lock.

cdef extern from "fastbp.h" nogil:
    int FASTBP_API
    const char* FASTBP_HANDLE
    int FASTBP_OK, FASTBP_DIVERGED, FASTBP_WRONG_SIZE, FASTBP_WRONG_VALUE, FASTBP_WRONG_LOSS, FASTBP_HELD
    int FASTBP_INTERRUPTED
    ctypedef struct fastbp_handle:
        int version, real_bytes
        ptrdiff_t n_inputs, n_outputs, n_params
        int (*predict)(fastbp_handle*, const void* x, ptrdiff_t m, void* y) noexcept
        int (*train_step)(fastbp_handle*, const void* x, const void* t, ptrdiff_t m, double learning_rate,
                          double* error) noexcept
        int (*error)(fastbp_handle*, const void* x, const void* t, ptrdiff_t m, double* error) noexcept
        int (*gradient)(fastbp_handle*, const void* x, const void* t, ptrdiff_t m, void* gradient,
                        double* error) noexcept
        int (*jacobian)(fastbp_handle*, const void* x, ptrdiff_t m, void* jacobian) noexcept
        int (*get_params)(fastbp_handle*, void* params) noexcept
        int (*set_params)(fastbp_handle*, const void* params) noexcept
        int (*begin)(fastbp_handle*) noexcept
        int (*end)(fastbp_handle*) noexcept
        double (*value)(double x, void* handle) noexcept
        void* owner

# So often a reader works before it takes its turn.
cdef enum:
    ATTEMPTS = 2


@cython.final
@cython.no_gc_clear     # __dealloc__ needs the network, also if a cycle of references is collected
cdef class Handle:
    """What `Network.capsule` holds: a network, and what one thread needs to run it.

    Attributes
    ----------
    address : int
        Of the fastbp_handle.
    capsule : PyCapsule
        Of the same; it keeps the Handle alive.
    """
    cdef fastbp_handle face
    cdef Core net
    cdef Workspace predicting, training
    cdef fastbp_optimizer descent
    cdef bint held      # between begin and end
    cdef int begun      # what `forks` (lock.pxi) was when it began

    def __cinit__(self, Core net not None):
        net.demand_storage()
        # For whole blocks, since nothing can be made without the GIL. What is never touched takes no memory.
        self.predicting = new_workspace(net, net.model.batch_rows, False)
        self.training = new_workspace(net, net.model.batch_rows, True)
        self.net = net
        self.face = fastbp_handle(
            version=FASTBP_API, real_bytes=net.itemsize, n_inputs=net.n_inputs, n_outputs=net.n_outputs,
            n_params=net.n_params, predict=handle_predict, train_step=handle_train_step, error=handle_error,
            gradient=handle_gradient, jacobian=handle_jacobian, get_params=handle_get_params,
            set_params=handle_set_params, begin=handle_begin, end=handle_end, value=handle_value, owner=<void*>self)

    def __dealloc__(self):
        if self.holds():
            self.net.end_change()
            self.net.lock.leave()
        self.face.version = 0

    cdef inline bint holds(self) noexcept nogil:
        """Whether this is between begin and end. A child process holds what the thread that forked it held."""
        return self.held and (self.begun == forks or self.net.lock.caller == PyThread_get_thread_ident())

    @property
    def address(self):
        return <uintptr_t>&self.face

    @property
    def capsule(self):
        capsule = PyCapsule_New(&self.face, FASTBP_HANDLE, forget_handle)
        PyCapsule_SetContext(capsule, <void*>self)
        Py_INCREF(self)
        return capsule


cdef void forget_handle(object capsule) noexcept:
    Py_DECREF(<object>PyCapsule_GetContext(capsule))


# ---------------------------------------------------------------- whose turn it is

cdef int take_turn(Handle self, bint exclusive, bint for_long) noexcept with gil:
    """Wait for the network's lock."""
    try:
        with cython.critical_section(self.net):
            self.net.lock.enter(exclusive, for_long)
    except RuntimeError:
        return FASTBP_HELD
    except BaseException:       # what a signal's handler raised; it is raised anew where Python goes on
        PyErr_SetInterrupt()
        return FASTBP_INTERRUPTED
    return FASTBP_OK


cdef void give_up_turn(Handle self) noexcept with gil:
    with cython.critical_section(self.net):
        self.net.lock.leave()


cdef int handle_begin(fastbp_handle* handle) noexcept nogil:
    return begin_change(<Handle>handle.owner, True)


cdef int begin_change(Handle self, bint for_long) noexcept nogil:
    cdef int status = FASTBP_HELD
    if not self.holds():
        status = take_turn(self, True, for_long)
        if status == FASTBP_OK:
            self.held = True
            self.begun = forks
            self.net.begin_change()
    return status


cdef int handle_end(fastbp_handle* handle) noexcept nogil:
    return end_change(<Handle>handle.owner)


cdef int end_change(Handle self) noexcept nogil:
    if not self.holds():
        return FASTBP_HELD
    self.net.end_change()
    self.held = False
    give_up_turn(self)
    return FASTBP_OK


# ---------------------------------------------------------------- what reads

ctypedef int (*reading)(Handle, const void* x, const void* t, ptrdiff_t m, void* to, double* error) noexcept nogil


cdef inline int read(Handle self, reading work, const void* x, const void* t, ptrdiff_t m, void* to,
                     double* error) noexcept nogil:
    """Do work that reads the parameters, of all of them at one time."""
    cdef int status, attempt
    cdef unsigned before
    if self.holds():
        return work(self, x, t, m, to, error)
    for attempt in range(ATTEMPTS):
        before = fastbp_count_before(&self.net.lock.changes)
        if before & 1:
            break
        status = work(self, x, t, m, to, error)
        if fastbp_count_after(&self.net.lock.changes) == before:
            return status
    status = take_turn(self, False, False)
    if status == FASTBP_OK:
        status = work(self, x, t, m, to, error)
        give_up_turn(self)
    return status


cdef inline int predicting(Handle self, const void* x, const void* t, ptrdiff_t m, void* to,
                           double* error) noexcept nogil:
    self.net.kernels.predict(&self.net.model, self.predicting, x, m, to)
    return FASTBP_OK


cdef int handle_predict(fastbp_handle* handle, const void* x, ptrdiff_t m, void* y) noexcept nogil:
    if m < 1:
        return FASTBP_WRONG_SIZE
    return read(<Handle>handle.owner, predicting, x, NULL, m, y, NULL)


cdef double handle_value(double x, void* handle) noexcept nogil:
    """The output of a network with one input and one output; NaN if there are more, or the call failed."""
    cdef fastbp_handle* face = <fastbp_handle*>handle
    cdef float x32 = <float>x, y32 = 0
    cdef double y = 0
    if face.n_inputs != 1 or face.n_outputs != 1:
        return NAN
    if face.real_bytes == sizeof(float):
        return y32 if handle_predict(face, &x32, 1, &y32) == FASTBP_OK else NAN
    return y if handle_predict(face, &x, 1, &y) == FASTBP_OK else NAN


cdef int backpropagating(Handle self, const void* x, const void* t, ptrdiff_t m, void* to,
                         double* error) noexcept nogil:
    """E, and where a gradient is to be written, that as well."""
    cdef fastbp_samples samples
    cdef fastbp_progress progress
    cdef double scale = 1.0 / m if self.net.mean else 1
    memset(&samples, 0, sizeof(samples))
    memset(&progress, 0, sizeof(progress))
    samples.x, samples.t = x, t
    self.net.kernels.propagate(&self.net.model, self.training, &samples, 0, m, scale, to == NULL, &progress)
    error[0] = progress.error * scale
    if to != NULL:
        self.net.kernels.copy_params(&self.net.model, gradient_at(self.net.kernels, self.training), to, True)
    if not isfinite(progress.error):
        clear(self.training)
    return FASTBP_OK


cdef int demand_samples(Handle self, const void* t, ptrdiff_t m) noexcept nogil:
    """Of the same kind as the door's demands."""
    if self.net.custom is not None:
        return FASTBP_WRONG_LOSS
    if m < 1:
        return FASTBP_WRONG_SIZE
    if not fits_range(self.net, t, m * self.net.n_outputs):
        return FASTBP_WRONG_VALUE
    return FASTBP_OK


cdef int handle_error(fastbp_handle* handle, const void* x, const void* t, ptrdiff_t m, double* error) noexcept nogil:
    return handle_gradient(handle, x, t, m, NULL, error)


cdef int handle_gradient(fastbp_handle* handle, const void* x, const void* t, ptrdiff_t m, void* gradient,
                         double* error) noexcept nogil:
    cdef int status = demand_samples(<Handle>handle.owner, t, m)
    if status == FASTBP_OK:
        status = read(<Handle>handle.owner, backpropagating, x, t, m, gradient, error)
    return status


cdef int differentiating(Handle self, const void* x, const void* t, ptrdiff_t m, void* to,
                         double* error) noexcept nogil:
    self.net.jacobian_by_blocks(self.training, x, m, to)
    if not self.net.kernels.all_finite(to, m * self.net.n_outputs * self.net.n_inputs):
        clear(self.training)
    return FASTBP_OK


cdef int handle_jacobian(fastbp_handle* handle, const void* x, ptrdiff_t m, void* jacobian) noexcept nogil:
    if m < 1:
        return FASTBP_WRONG_SIZE
    return read(<Handle>handle.owner, differentiating, x, NULL, m, jacobian, NULL)


cdef int copying(Handle self, const void* x, const void* t, ptrdiff_t m, void* to, double* error) noexcept nogil:
    self.net.kernels.copy_params(&self.net.model, self.net.model.params, to, True)
    return FASTBP_OK


cdef int handle_get_params(fastbp_handle* handle, void* params) noexcept nogil:
    return read(<Handle>handle.owner, copying, NULL, NULL, 0, params, NULL)


# ---------------------------------------------------------------- what writes

cdef int handle_set_params(fastbp_handle* handle, const void* params) noexcept nogil:
    return set_params(<Handle>handle.owner, params)


cdef int set_params(Handle self, const void* params) noexcept nogil:
    cdef bint held = self.holds()
    cdef int status = FASTBP_OK if held else begin_change(self, False)
    if status == FASTBP_OK:
        self.net.kernels.copy_params(&self.net.model, self.net.model.params, <void*>params, False)
        if not held:
            end_change(self)
    return status


cdef int handle_train_step(fastbp_handle* handle, const void* x, const void* t, ptrdiff_t m, double learning_rate,
                           double* error) noexcept nogil:
    cdef int status = demand_samples(<Handle>handle.owner, t, m)
    if status == FASTBP_OK:
        status = train_step(<Handle>handle.owner, x, t, m, learning_rate, error)
    return status


cdef int train_step(Handle self, const void* x, const void* t, ptrdiff_t m, double learning_rate,
                    double* error) noexcept nogil:
    cdef fastbp_samples samples
    cdef fastbp_progress progress
    cdef bint held = self.holds()
    cdef int status = FASTBP_OK
    if not (0 < learning_rate < HUGE_VAL and fits_rate(self.net, learning_rate)):
        return FASTBP_WRONG_VALUE
    if not held:
        status = begin_change(self, False)
        if status != FASTBP_OK:
            return status
    memset(&samples, 0, sizeof(samples))
    memset(&progress, 0, sizeof(progress))
    samples.x, samples.t = x, t
    self.descent.learning_rate = learning_rate
    self.net.kernels.train(&self.net.model, self.training, &samples, 0, m, m, self.net.mean, &self.descent, &nobody,
                           NULL, &progress)
    error[0] = progress.error / m if self.net.mean else progress.error
    if progress.diverged:
        status = FASTBP_DIVERGED
        clear(self.training)
    if not held:
        end_change(self)
    return status


cdef void clear(Workspace work) noexcept nogil:
    """Zero it all: NaN would stay in what no later call writes."""
    memset(work.memory, 0, work.n_bytes)
