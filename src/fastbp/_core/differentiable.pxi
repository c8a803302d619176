# The error of a network and its gradient, which change nothing of it. Each call has a workspace of its own, so any
# number of them run side by side; a call with a loss of the user's, which is Python, has the network for itself.

cdef class Differentiable(Model):
    """Error and gradient; see Model for the parameters."""

    @cython.critical_section
    cdef fastbp_progress backpropagate(self, Samples samples, cnp.ndarray gradient, int threads=0) except *:
        """E and the sum of squares; where a gradient is given, it is filled."""
        cdef Workspace work = self.training.take(self, samples.m)
        cdef fastbp_progress progress
        cdef Crew crew
        cdef double scale = 1 / samples.total_weight if self.mean else 1
        cdef bint shared
        memset(&progress, 0, sizeof(progress))
        if self.custom is not None:
            self.lock.enter(True, True)
            try:
                self.propagate_custom(work, samples, scale, gradient is None, &progress)
            finally:
                self.lock.leave()
        else:
            shared = shares_gradient(self, &crew, work, &samples.data, samples.m, threads, gradient is not None)
            self.lock.enter(False)
            crew.team = recruit(crew.threads) if shared else NULL
            with nogil:
                if shared:
                    crew.calls.gradient(&crew.calls, 0, samples.m, scale, &progress)
                else:
                    self.kernels.propagate(&self.model, work, &samples.data, 0, samples.m, scale, gradient is None,
                                           &progress)
            dismiss(crew.team)
            self.lock.leave()
        if gradient is not None:
            self.kernels.copy_params(&self.model, gradient_at(self.kernels, work), cnp.PyArray_DATA(gradient), True)
        if isfinite(progress.error):
            self.training.give_back(work)
        progress.error *= scale
        return progress

    cdef int propagate_custom(self, Workspace work, Samples samples, double scale, bint forward_only,
                              fastbp_progress* progress) except -1:
        """What the kernels' propagate does, with a loss of the user's."""
        cdef Py_ssize_t start = 0, m
        while start < samples.m:
            m = self.kernels.next_block(&self.model, samples.m - start)
            with nogil:
                self.kernels.forward_batch(&self.model, work, samples.data.x, start, m)
            self.custom_error(work, samples, start, m, scale, progress)
            if not forward_only:
                with nogil:
                    self.kernels.backward_batch(&self.model, work, samples.data.x, start, m,
                                                FASTBP_SUM if start > 0 else FASTBP_GRADIENT)
            start += m
        return 0

    cdef int custom_error(self, Workspace work, Samples samples, Py_ssize_t start, Py_ssize_t m, double scale,
                          fastbp_progress* progress) except -1:
        """What the kernels' output_error does, by the user's function."""
        cdef cnp.ndarray outputs = np.empty((m, self.n_outputs), self.dtype), slopes
        cdef cnp.ndarray targets = samples.t.reshape(samples.m, self.n_outputs)[start:start + m]
        cnp.PyArray_CLEARFLAGS(targets, cnp.NPY_ARRAY_WRITEABLE)    # they may be the caller's own
        self.kernels.copy_rows(&self.model, work, FASTBP_OUTPUTS, self.model.n_layers - 1, m,
                               cnp.PyArray_DATA(outputs), 0)
        error, squares, slopes = apply_loss(self.custom, outputs, targets, scale)
        self.kernels.set_errors(&self.model, work, self.model.n_layers - 1, cnp.PyArray_DATA(slopes), 0, m)
        progress.error += error
        progress.squares += squares
        return 0

    def error(self, X, T, sample_weight=None):
        """The error E: the loss of all samples, by default half the sum of squared differences.

        It is divided by M where the reduction is "mean".

        Parameters
        ----------
        X : array_like, shape (n_inputs,) or (M, n_inputs)
            Inputs; at least one sample.
        T : array_like, shape (n_outputs,) or (M, n_outputs)
            Targets; with one output also (M,), or a number for a single sample.
        sample_weight : array_like, shape (M,), optional
            A factor for each sample's error, not negative; all 1 by default. A mean divides by their sum.

        Returns
        -------
        float

        Raises
        ------
        ValueError, TypeError
            If an argument has the wrong shape, length or dtype.

        Examples
        --------
        >>> import fastbp
        >>> net = fastbp.Network([1, 1], "identity", init=[([[2.0]], [0.0])])
        >>> net.error([[1.0], [2.0]], [[2.0], [7.0]])
        4.5
        """
        return self.backpropagate(checked_samples(self, X, T, sample_weight, False), None).error

    def rms(self, X, T):
        """Root of the mean squared error, ``sqrt(sum (y - t)**2 / (M n_outputs))``: what training reports.

        Parameters
        ----------
        X : array_like, shape (n_inputs,) or (M, n_inputs)
            Inputs; at least one sample.
        T : array_like, shape (n_outputs,) or (M, n_outputs)
            Targets; with one output also (M,), or a number for a single sample.

        Returns
        -------
        float

        Raises
        ------
        ValueError, TypeError
            If X or T has the wrong shape, length or dtype.

        Examples
        --------
        >>> import fastbp
        >>> net = fastbp.Network([1, 1], "identity", init=[([[2.0]], [0.0])])
        >>> net.rms([[1.0], [2.0]], [[2.0], [6.0]])
        1.4142135623730951
        """
        return self._error_and_rms(X, T)[1]

    def _error_and_rms(self, X, T, int threads=0):
        """What `error` and `rms` give, in one pass."""
        cdef Samples samples = checked_samples(self, X, T, None, False)
        cdef fastbp_progress progress = self.backpropagate(samples, None, threads)
        return progress.error, sqrt(progress.squares / (<double>samples.m * self.n_outputs))

    def gradient(self, X, T, out=None, sample_weight=None, *, threads=None):
        """The error E and its gradient dE/dparams, as ``scipy.optimize.minimize(..., jac=True)`` wants them.

        Parameters
        ----------
        X : array_like, shape (n_inputs,) or (M, n_inputs)
            Inputs, finite; at least one sample.
        T : array_like, shape (n_outputs,) or (M, n_outputs)
            Targets, finite; with one output also (M,), or a number for a single sample.
        out : ndarray, shape (n_params,), optional
            Where to write the gradient: of the network's dtype, contiguous, writable, not overlapping the parameters.
        sample_weight : array_like, shape (M,), optional
            A factor for each sample's error, not negative; all 1 by default. A mean divides by their sum.
        threads : int, optional
            How many threads may share the work, if there is enough of it; by default `fastbp.get_num_threads()`.

        Returns
        -------
        error : float
            E, as `error` gives it.
        gradient : ndarray, shape (n_params,)
            In the order of `params`: the sum over samples of delta times input, or of delta for a bias.

        Raises
        ------
        ValueError, TypeError
            If an argument has the wrong shape, length or dtype, or is not finite.

        Examples
        --------
        >>> import fastbp
        >>> net = fastbp.Network([1, 1], "identity", init=[([[2.0]], [0.0])])
        >>> net.gradient([3.0], [5.0])
        (0.5, array([3., 1.]))
        """
        cdef Samples samples = checked_samples(self, X, T, sample_weight)
        cdef int count = 0 if threads is None else thread_count("threads", threads)
        cdef cnp.ndarray vector
        if out is None:
            vector = np.empty(self.n_params, self.dtype)
        else:
            vector = checked_out(self, out, (self.n_params,))
            demand_apart(vector, samples.x, "X")
            demand_apart(vector, samples.t, "T")
        return self.backpropagate(samples, vector, count).error, vector
