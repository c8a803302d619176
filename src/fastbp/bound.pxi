# Part of _core.pyx: what Network.bind makes.


cdef class Bound:
    """A network with its buffers in hand; see `Network.bind`."""
    cdef Core net
    cdef readonly cnp.ndarray x, t, out
    cdef fastbp_samples samples
    cdef fastbp_optimizer descent
    cdef Py_ssize_t m

    def __init__(self):
        raise TypeError("a Bound is made by Network.bind")

    def predict(self):
        """The outputs for what `x` holds now, in `out`."""
        self.net.predict_rows(self.samples.x, self.m, cnp.PyArray_DATA(self.out))
        return self.out

    def step(self):
        """One step of gradient descent on what `x` and `t` hold now; returns E before the update."""
        cdef fastbp_progress progress
        if self.t is None:
            raise ValueError("step needs targets: bind(x, t)")
        if self.net.custom is None:
            self.net.train(&self.samples, 0, self.m, self.m, &self.descent, &progress)
        else:
            self.net.custom_step(self.x, self.t, None, &self.descent, &progress)
        if progress.done < self.m:
            raise DivergenceError(0, 0)
        return progress.error / self.m if self.net.mean else progress.error
