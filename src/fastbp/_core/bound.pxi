# What Network.bind makes.

cdef class Bound:
    """A network and the arrays that it was bound to; see `Network.bind`."""
    cdef Core net
    cdef readonly cnp.ndarray x, t, out
    cdef tuple held                 # while a memoryview looks at an array, NumPy refuses to resize it
    cdef fastbp_samples samples
    cdef fastbp_optimizer descent
    cdef readonly Optimizer optimizer
    cdef Py_ssize_t m

    def __cinit__(self, Core net not None, x, t, out, learning_rate, optimizer):
        net.demand_storage()
        for array, name in ((x, "x"), (t, "t")):
            if array is not None and not is_ready(net, array):
                came = f" of {array.dtype} with strides {array.strides}" if isinstance(array, np.ndarray) else ""
                if array is t and net.model.loss == FASTBP_CROSS_ENTROPY and np.ndim(t) == np.ndim(x) - 1:
                    raise TypeError(f"t must hold rows of {net.n_outputs} targets where arrays are bound, got labels; "
                                    f'numpy.eye({net.n_outputs}, dtype="{net.dtype}")[t] makes rows of them')
                raise TypeError(f"{name} must be an aligned, C-contiguous numpy.ndarray of {net.dtype}, because "
                                f"every predict() and step() reads it anew; got {kind(array)}{came}. "
                                f'numpy.array({name}, "{net.dtype}", order="C") makes one.')
        self.x = checked_inputs(net, x, "x")
        self.m = count_of(self.x)
        shape = shape_of(self.x)[:cnp.PyArray_NDIM(self.x) - 1] + (net.n_outputs,)
        self.out = np.empty(shape, net.dtype) if out is None else checked_out(net, out, shape)
        demand_apart(self.out, self.x, "x")
        if t is not None:
            self.t = checked_targets(net, t, "t", self.x)
            demand_apart(self.out, self.t, "t")
            if self.m == 0:
                raise ValueError("x must hold at least one sample to train on, got none")
        self.held = tuple([memoryview(array) for array in (self.x, self.t, self.out) if array is not None])
        demand_optimizer(optimizer, learning_rate)
        if optimizer is None:
            self.descent.learning_rate = rate_of(net, learning_rate, self.m)
        self.optimizer = optimizer
        point(net, &self.samples, self.x, self.x if t is None else self.t)
        self.net = net

    @property
    def learning_rate(self):
        """The rate of the next step; the optimizer's, where there is one."""
        return self.descent.learning_rate if self.optimizer is None else self.optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        if self.optimizer is None:
            self.descent.learning_rate = checked_rate(value)
        else:
            self.optimizer.learning_rate = value

    def predict(self):
        """The outputs for what `x` holds now, in `out`."""
        self.net.predict_rows(self.samples.x, self.m, cnp.PyArray_DATA(self.out))
        return self.out

    def step(self):
        """One step of gradient descent on what `x` and `t` hold now; returns the error E before the update."""
        cdef fastbp_progress progress
        cdef fastbp_optimizer numbers
        cdef fastbp_optimizer* descent = &self.descent
        cdef tuple state = None
        if self.t is None:
            raise ValueError("step needs targets: use bind(x, t)")
        if self.optimizer is not None:
            descent = &numbers
            state = self.optimizer.attach(self.net, &numbers, self.m)
        progress.random = 0
        if self.net.custom is None:
            self.net.train(&self.samples, 0, self.m, self.m, descent, &progress)
        else:
            self.net.custom_step(checked_samples(self.net, self.x, self.t, None, False), None, descent, &progress)
        if self.optimizer is not None:
            self.optimizer.went_on(&numbers, state)
        if progress.diverged:
            raise divergence.of_an_update(self.net, 0, 0, {"x": self.x, "t": self.t}, descent.learning_rate, self.m,
                                          descends(descent.method))
        return progress.error / self.m if self.net.mean else progress.error
