# What happens on the way through a network, and the derivatives with respect to its inputs; nothing is changed.

cdef class Traceable(Differentiable):
    """Layers, traces and derivatives with respect to the inputs; see Model for the parameters."""

    def _layers(self, X, bint finite=False):
        """Whether X is a single sample; net inputs, outputs and slopes of all layers, sample axis included.

        finite: whether X must be.
        """
        cdef cnp.ndarray x = checked_inputs(self, X, "X")
        cdef Py_ssize_t total = count_of(x), start = 0, m
        cdef Workspace work = new_workspace(self, min(total, self.model.block_rows), True, None, True)
        cdef list r = self.rows_of_layers(total), a = self.rows_of_layers(total), s = self.rows_of_layers(total)
        cdef cnp.ndarray ones = self.ones(work)
        cdef int l
        if finite:
            demand_finite(self, x, "X", X)
        with cython.critical_section(self):
            self.lock.enter(False)
            while start < total:
                m = min(total - start, work.rows)
                with nogil:
                    self.kernels.forward(&self.model, work, cnp.PyArray_DATA(x), start, m)
                for l in range(self.model.n_layers):
                    self.copy_rows(work, FASTBP_NET_INPUTS, l, m, r[l], start)
                    self.copy_rows(work, FASTBP_OUTPUTS, l, m, a[l], start)
                    self.copy_slopes(work, l, m, ones, s[l], start)
                start += m
            self.lock.leave()
        self.mend_slopes(a, s)
        return cnp.PyArray_NDIM(x) == 1, r, a, s

    cdef list rows_of_layers(self, Py_ssize_t m):
        return [np.empty((m, width), self.dtype) for width in self.layer_sizes[1:]]

    cdef cnp.ndarray ones(self, Workspace work):
        return np.ones((work.rows, max(self.layer_sizes)), self.dtype)

    cdef void copy_slopes(self, Workspace work, int l, Py_ssize_t m, cnp.ndarray ones, cnp.ndarray to,
                          Py_ssize_t start) noexcept:
        """g'(r), which is the delta of an error signal of 1. The layer's error signal is lost."""
        self.kernels.set_errors(&self.model, work, l, cnp.PyArray_DATA(ones), 0, m)
        self.kernels.apply_slope(&self.model, work, l, m)
        self.copy_rows(work, FASTBP_DELTAS, l, m, to, start)

    cdef int mend_slopes(self, list a, list s) except -1:
        """A softmax mixes the error signals of a row; its slopes are the diagonal of dy/dr."""
        for l, activation in enumerate(self.activations):
            if activation == "softmax":
                s[l] = a[l] * (1 - a[l])
        return 0

    def _trace(self, X, T):
        """What happens on the way forth and back: the fields of `fastbp.network.Trace`, sample axis included."""
        cdef Samples samples = checked_samples(self, X, T)
        cdef Workspace work = new_workspace(self, min(samples.m, self.model.block_rows), True, None, True)
        cdef cnp.ndarray gradient = np.empty(self.n_params, self.dtype)
        cdef fastbp_progress progress
        cdef double scale = 1.0 / samples.m if self.mean else 1
        cdef bint calls_back = self.custom is not None
        cdef list r, a, s, e, d
        cdef cnp.ndarray ones = self.ones(work)
        r, a, s, e, d = [self.rows_of_layers(samples.m) for _ in range(5)]
        memset(&progress, 0, sizeof(progress))
        with cython.critical_section(self):
            self.lock.enter(calls_back, calls_back)
            try:
                self.trace(samples, work, scale, ones, r, a, s, e, d, &progress)
            finally:
                self.lock.leave()
        self.kernels.copy_params(&self.model, gradient_at(self.kernels, work), cnp.PyArray_DATA(gradient), True)
        self.mend_slopes(a, s)
        return samples.single, r, a, s, e, d, gradient, progress.error * scale

    cdef int trace(self, Samples samples, Workspace work, double scale, cnp.ndarray ones, list r, list a, list s,
                   list e, list d, fastbp_progress* progress) except -1:
        cdef Py_ssize_t start = 0, m
        cdef fastbp_progress ignored
        cdef bint fused = self.model.fused
        cdef int l, last = self.model.n_layers - 1
        memset(&ignored, 0, sizeof(ignored))
        while start < samples.m:
            m = min(samples.m - start, work.rows)
            with nogil:
                self.kernels.forward(&self.model, work, samples.data.x, start, m)
            if fused:
                # Once for the error signal e, which training passes over; only the second time counts for E.
                self.kernels.output_error(&self.model, work, &samples.data, start, m, scale, False, &ignored)
                self.copy_rows(work, FASTBP_DELTAS, last, m, e[last], start)
            if self.custom is None:
                self.kernels.output_error(&self.model, work, &samples.data, start, m, scale, fused, progress)
            else:
                self.custom_error(work, samples, start, m, scale, progress)
            for l in range(last, -1, -1):
                self.copy_rows(work, FASTBP_NET_INPUTS, l, m, r[l], start)
                self.copy_rows(work, FASTBP_OUTPUTS, l, m, a[l], start)
                if not (fused and l == last):
                    self.copy_rows(work, FASTBP_DELTAS, l, m, e[l], start)
                    self.kernels.apply_slope(&self.model, work, l, m)
                self.copy_rows(work, FASTBP_DELTAS, l, m, d[l], start)
                self.copy_slopes(work, l, m, ones, s[l], start)
                self.kernels.set_errors(&self.model, work, l, cnp.PyArray_DATA(<cnp.ndarray>d[l]), start, m)
                with nogil:
                    self.kernels.weight_gradient(&self.model, work, l, samples.data.x, start, m,
                                                 FASTBP_SUM if start > 0 else FASTBP_GRADIENT,
                                                 fastbp_whole(&self.model.layers[l]))
                    if l > 0:
                        self.kernels.error_signal(&self.model, work, l, m)
            start += m
        return 0

    cdef inline void copy_rows(self, Workspace work, fastbp_rows what, int l, Py_ssize_t m, cnp.ndarray to,
                               Py_ssize_t start) noexcept:
        self.kernels.copy_rows(&self.model, work, what, l, m, cnp.PyArray_DATA(to), start)

    def input_gradient(self, X, T):
        """dE/dx, the derivatives of the error E with respect to the inputs.

        Parameters
        ----------
        X : array_like, shape (n_inputs,) or (M, n_inputs)
            Inputs, finite; at least one sample.
        T : array_like, shape (n_outputs,) or (M, n_outputs)
            Targets, finite; with one output also (M,), or a number for a single sample.

        Returns
        -------
        ndarray, shape of X
            Row i holds the derivatives of E with respect to row i of X.

        Raises
        ------
        ValueError, TypeError
            If X or T has the wrong shape, length or dtype, or is not finite.

        Examples
        --------
        >>> import fastbp
        >>> net = fastbp.Network([2, 1], "identity", init=[([[2.0], [3.0]], [0.0])])
        >>> net.input_gradient([1.0, 1.0], [4.0])
        array([2., 3.])
        """
        cdef Samples samples = checked_samples(self, X, T)
        cdef cnp.ndarray gradient = np.empty(np.shape(samples.x), self.dtype)
        self.send_errors_back(samples, cnp.PyArray_DATA(gradient))
        return gradient

    @cython.critical_section
    cdef int send_errors_back(self, Samples samples, void* gradient) except -1:
        cdef Workspace work = self.training.take(self, samples.m)
        cdef fastbp_progress progress
        cdef double scale = 1.0 / samples.m if self.mean else 1
        cdef Py_ssize_t start = 0, m
        cdef bint calls_back = self.custom is not None
        memset(&progress, 0, sizeof(progress))
        self.lock.enter(calls_back, calls_back)
        try:
            while start < samples.m:
                m = min(samples.m - start, self.model.block_rows)
                with nogil:
                    self.kernels.forward(&self.model, work, samples.data.x, start, m)
                    if self.model.loss != FASTBP_CUSTOM:
                        self.kernels.output_error(&self.model, work, &samples.data, start, m, scale, self.model.fused,
                                                  &progress)
                if calls_back:
                    self.custom_error(work, samples, start, m, scale, &progress)
                with nogil:
                    if not self.model.fused:
                        self.kernels.apply_slope(&self.model, work, self.model.n_layers - 1, m)
                    self.kernels.input_errors(&self.model, work, m, gradient, start)
                start += m
        finally:
            self.lock.leave()
        if isfinite(progress.error):
            self.training.give_back(work)
        return 0

    def vjp(self, X, V):
        """V times dy/dx, the outputs' Jacobian, computed by sending V back in place of an error signal.

        Parameters
        ----------
        X : array_like, shape (n_inputs,) or (M, n_inputs)
            Inputs, finite.
        V : array_like, shape (n_outputs,) or (M, n_outputs)
            What is sent back from the outputs, a row for each sample; finite.

        Returns
        -------
        ndarray, shape of X
            ``sum over k of V[i, k] dy_k/dx`` for row i of X, for the cost of a single backward pass.

        Raises
        ------
        ValueError, TypeError
            If X or V has the wrong shape, length or dtype, or is not finite.

        Examples
        --------
        >>> import fastbp
        >>> net = fastbp.Network([2, 1], "identity", init=[([[2.0], [3.0]], [0.0])])
        >>> net.vjp([1.0, 1.0], [10.0])
        array([20., 30.])
        """
        cdef cnp.ndarray x = checked_inputs(self, X, "X")
        cdef cnp.ndarray v = reals(self, V, "V")
        cdef cnp.ndarray product = np.empty(np.shape(x), self.dtype)
        expected = np.shape(x)[:cnp.PyArray_NDIM(x) - 1] + (self.n_outputs,)
        if np.shape(v) != expected:
            raise ValueError(f"V must have the shape {expected}, {row_per_sample(self)}, got {np.shape(v)}")
        demand_finite(self, x, "X", X)
        demand_finite(self, v, "V", V)
        self.send_back(cnp.PyArray_DATA(x), count_of(x), v, cnp.PyArray_DATA(product))
        return product

    @cython.critical_section
    cdef int send_back(self, const void* x, Py_ssize_t total, cnp.ndarray v, void* product) except -1:
        cdef Workspace work = self.training.take(self, total)
        cdef Py_ssize_t start = 0, m
        cdef int last = self.model.n_layers - 1
        cdef const void* errors = cnp.PyArray_DATA(v)
        self.lock.enter(False)
        with nogil:
            while start < total:
                m = min(total - start, self.model.block_rows)
                self.kernels.forward(&self.model, work, x, start, m)
                self.kernels.set_errors(&self.model, work, last, errors, start, m)
                self.kernels.apply_slope(&self.model, work, last, m)
                self.kernels.input_errors(&self.model, work, m, product, start)
                start += m
        self.lock.leave()
        if self.kernels.all_finite(product, total * self.n_inputs):
            self.training.give_back(work)
        return 0

    def jacobian(self, X, out=None):
        """dy/dx, the Jacobian of the outputs, computed by sending each output back on its own.

        Parameters
        ----------
        X : array_like, shape (n_inputs,) or (M, n_inputs)
            Inputs, finite.
        out : ndarray, shape (n_outputs, n_inputs) or (M, n_outputs, n_inputs), optional
            Where to write it: of the network's dtype, contiguous, writable, not overlapping X or the parameters.

        Returns
        -------
        ndarray, shape (n_outputs, n_inputs) or (M, n_outputs, n_inputs)
            The derivative of each output with respect to each input; `out`, or a new array.

        Raises
        ------
        ValueError, TypeError
            If X or out has the wrong shape, length, dtype or layout, or X is not finite.

        Examples
        --------
        >>> import fastbp
        >>> net = fastbp.Network([2, 1], "identity", init=[([[2.0], [3.0]], [0.0])])
        >>> net.jacobian([1.0, 1.0])
        array([[2., 3.]])
        """
        cdef cnp.ndarray x = checked_inputs(self, X, "X")
        cdef cnp.ndarray jacobian
        shape = np.shape(x)[:cnp.PyArray_NDIM(x) - 1] + (self.n_outputs, self.n_inputs)
        if out is None:
            jacobian = np.empty(shape, self.dtype)
        else:
            jacobian = checked_out(self, out, shape)
            demand_apart(jacobian, x, "X")
        demand_finite(self, x, "X", X)
        self.fill_jacobian(cnp.PyArray_DATA(x), count_of(x), cnp.PyArray_DATA(jacobian))
        return jacobian

    cdef void jacobian_by_blocks(self, Workspace work, const void* x, Py_ssize_t total, void* jacobian) noexcept nogil:
        cdef Py_ssize_t start = 0, m
        while start < total:
            m = min(total - start, self.model.block_rows)
            self.kernels.jacobian(&self.model, work, x, start, m, jacobian)
            start += m

    @cython.critical_section
    cdef int fill_jacobian(self, const void* x, Py_ssize_t total, void* jacobian) except -1:
        cdef Workspace work = self.training.take(self, total)
        self.lock.enter(False)
        with nogil:
            self.jacobian_by_blocks(work, x, total, jacobian)
        self.lock.leave()
        if self.kernels.all_finite(jacobian, total * self.n_outputs * self.n_inputs):
            self.training.give_back(work)
        return 0

    def param_jacobian(self, X):
        """dy/dparams, the derivatives of the outputs with respect to weights and biases.

        Each output is sent back on its own, as for `jacobian`.

        Parameters
        ----------
        X : array_like, shape (n_inputs,) or (M, n_inputs)
            Inputs, finite.

        Returns
        -------
        ndarray, shape (n_outputs, n_params) or (M, n_outputs, n_params)
            The derivative of each output with respect to each parameter, in the order of `params`.

        Raises
        ------
        ValueError, TypeError
            If X has the wrong shape, length or dtype, or is not finite.

        Examples
        --------
        >>> import fastbp
        >>> net = fastbp.Network([2, 1], "identity", init=[([[2.0], [3.0]], [0.0])])
        >>> net.param_jacobian([5.0, 7.0])
        array([[5., 7., 1.]])
        """
        cdef cnp.ndarray x = checked_inputs(self, X, "X")
        demand_finite(self, x, "X", X)
        shape = np.shape(x)[:cnp.PyArray_NDIM(x) - 1] + (self.n_outputs, self.n_params)
        cdef cnp.ndarray jacobian = np.empty(shape, self.dtype)
        cdef Py_ssize_t block = min(min(max(count_of(x), 1), <Py_ssize_t>JACOBIAN_ROWS), self.model.block_rows)
        # A vector more, for what param_rows overwrites.
        cdef cnp.ndarray rows = np.empty(block * self.n_params + self.lanes, self.dtype)
        self.fill_param_jacobian(x, jacobian, block, rows)
        return jacobian

    @cython.critical_section
    cdef int fill_param_jacobian(self, cnp.ndarray x, cnp.ndarray jacobian, Py_ssize_t block,
                                 cnp.ndarray rows) except -1:
        cdef Workspace work = self.training.take(self, block)
        cdef Py_ssize_t total = count_of(x), start = 0, m, n, i, row = self.n_params * self.itemsize
        cdef char* to = cnp.PyArray_BYTES(jacobian)
        self.lock.enter(False)
        with nogil:
            while start < total:
                m = min(block, total - start)
                self.kernels.forward(&self.model, work, cnp.PyArray_DATA(x), start, m)
                for n in range(self.n_outputs):
                    send_unit_back(self.kernels, &self.model, work, NULL, start, m, n)
                    self.kernels.param_rows(&self.model, work, cnp.PyArray_DATA(x), start, m, cnp.PyArray_DATA(rows),
                                            self.n_params)
                    for i in range(m):
                        memcpy(to + (i * self.n_outputs + n) * row, cnp.PyArray_BYTES(rows) + i * row, row)
                to += m * self.n_outputs * row
                start += m
        self.lock.leave()
        if self.kernels.all_finite(cnp.PyArray_DATA(jacobian), cnp.PyArray_SIZE(jacobian)):
            self.training.give_back(work)
        return 0
