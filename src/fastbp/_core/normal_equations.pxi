# Derivatives of the outputs with respect to the parameters, and the products of these that Levenberg-Marquardt needs.
#
# A row of the Jacobian J is one output of one sample: an error signal of 1 at that output is sent back, and each
# layer's part is the outer product of its inputs and its deltas. J^T J is added up block by block, so J as a whole is
# never there. Beside a row of J stands its residual e = y - t, so that one product of the rows (J | e) with themselves
# has J^T J, J^T e and the sum of e squared. It is symmetric; its lower half alone is computed.
#
# For the kernels that product is a gradient: that of a layer whose inputs and whose deltas are both the rows (J | e).
# It is computed in float64 also for networks of float32. In float32 its rounding would be as large as the square of
# the least singular values of J that float32 can tell from 0, and mu would have to stay above it.

cdef enum:
    JACOBIAN_ROWS = 128         # that are multiplied at a time, where they stay in the first caches ...
    JACOBIAN_ROWS_WIDE = 256    # ... and where they cannot: as deep as a product packs at a time
    NARROW_JACOBIAN = 256       # parameters up to which they can
    # Of the products that are computed at a time, from the diagonal down: few, because half of the block at the
    # diagonal is not needed; more where copying them takes time.
    COLUMNS = 16
    COLUMNS_WIDE = 128


cdef void send_unit_back(const fastbp_kernels* kernels, const fastbp_model* model, Workspace work,
                         const void* weights, Py_ssize_t start, Py_ssize_t m, Py_ssize_t n) noexcept nogil:
    """An error signal of sqrt(w) at output n of m samples, and the deltas of all layers that follow from it."""
    if kernels.real_bytes == sizeof(double):
        write_units(model, <DoubleWorkspace>work, weights, start, m, n)
    else:
        write_units(model, <FloatWorkspace>work, weights, start, m, n)
    kernels.all_deltas(model, work, m, False)


cdef void write_units(const fastbp_model* model, AnyWorkspace work, const void* weights, Py_ssize_t start, Py_ssize_t m,
                      Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t stride = model.layers[model.n_layers - 1].stride, first, i
    first = work.places[model.n_layers - 1].output
    memset(&work.deltas[first], 0, m * stride * sizeof(work.deltas[0]))
    for i in range(m):
        if AnyWorkspace is DoubleWorkspace:
            work.deltas[first + i * stride + n] = root_of_weight(work, weights, start + i)
        else:
            work.deltas[first + i * stride + n] = <float>root_of_weight(work, weights, start + i)


cdef void residuals(const fastbp_model* model, AnyWorkspace work, const fastbp_samples* samples, Py_ssize_t start,
                    Py_ssize_t m, Py_ssize_t n, double* to, Py_ssize_t row) noexcept nogil:
    """sqrt(w) (y - t) of output n of m samples."""
    cdef const fastbp_layer* layer = &model.layers[model.n_layers - 1]
    cdef Py_ssize_t i, place = work.places[model.n_layers - 1].output + n, target = start * layer.n_out + n
    cdef double t
    for i in range(m):
        if AnyWorkspace is DoubleWorkspace:
            t = (<const double*>samples.t)[target]
        else:
            t = (<const float*>samples.t)[target]
        to[0] = root_of_weight(work, samples.weights, start + i) * (work.outputs[place] - t)
        place += layer.stride
        target += layer.n_out
        to += row


cdef inline double root_of_weight(AnyWorkspace work, const void* weights, Py_ssize_t i) noexcept nogil:
    if weights == NULL:
        return 1
    if AnyWorkspace is DoubleWorkspace:
        return sqrt((<const double*>weights)[i])
    else:
        return sqrt(<double>(<const float*>weights)[i])


@cython.final
cdef class NormalEquations:
    """J^T J and J^T e of a network's outputs, for the squared error of samples.

    Parameters
    ----------
    net : Network

    Attributes
    ----------
    matrix : ndarray of float64, shape (n_params, n_params)
        J^T J; only its lower half has numbers.
    gradient : ndarray of float64, shape (n_params,)
        J^T e, which for a sum is dE/dparams. Rows of samples with weights are multiplied by their roots.
    """
    cdef readonly cnp.ndarray matrix, gradient
    cdef const fastbp_kernels* kernels      # of float64
    cdef fastbp_model model                 # of a layer whose inputs and deltas are both (J | e)
    cdef fastbp_layer layer
    cdef DoubleWorkspace work
    cdef cnp.ndarray narrow                 # rows of J as a network of float32 has them
    cdef Py_ssize_t size                    # of a row (J | e)
    cdef Py_ssize_t capacity, filled        # in rows
    cdef bint begun                         # whether there are products to add to

    def __init__(self, Model net not None):
        cdef Py_ssize_t lanes, n = net.n_params + 1
        net.demand_storage()
        if net.model.loss != FASTBP_SQUARED_ERROR or self.work is not None:
            raise ValueError("normal equations are made once, for the squared error")
        self.kernels = in_force[True][1]
        lanes = self.kernels.vector_bytes // <int>sizeof(double)
        self.size = n
        self.capacity = JACOBIAN_ROWS if n <= NARROW_JACOBIAN else JACOBIAN_ROWS_WIDE
        self.layer.n_in = self.layer.n_out = self.layer.stride = padded(n, lanes)
        self.layer.bias = self.layer.n_in * self.layer.stride
        self.model.layers, self.model.n_layers = &self.layer, 1
        dtype = np.dtype(np.float64)
        # A vector more than there are rows, for what param_rows overwrites.
        rows = aligned_zeros(self.capacity * self.layer.stride + lanes, dtype)
        products = aligned_zeros(self.layer.bias + self.layer.stride, dtype)
        if net.typenum != cnp.NPY_DOUBLE:
            self.narrow = aligned_zeros(self.capacity * self.layer.stride + net.lanes, net.dtype)
        work = <DoubleWorkspace>DoubleWorkspace.__new__(DoubleWorkspace)
        work.places = <fastbp_place*>PyMem_RawCalloc(1, sizeof(fastbp_place))
        if work.places == NULL:
            raise MemoryError("there is no memory for a layer")
        work.deltas, work.gradient = rows, products
        work.packed = aligned_zeros(max(self.kernels.packed_size(&self.model, self.capacity, True), 1), dtype)
        self.work = work
        square = products[:self.layer.bias].reshape(self.layer.n_in, self.layer.stride)
        self.matrix, self.gradient = square[:n - 1, :n - 1], square[n - 1, :n - 1]

    def add_up(self, Differentiable net not None, Samples samples not None):
        """Work them out for these samples, at the parameters that the network has.

        Returns the sum of e squared, weighted; it is not finite if a number of the matrix is not. Between blocks Ctrl-C
        is noticed, and another thread that waits for the network is let in.
        """
        cdef Py_ssize_t start = 0, i
        cdef Workspace work
        cdef double squares = 0, total = 0
        if (net.n_params + 1 != self.size or net.model.loss != FASTBP_SQUARED_ERROR or samples.data.order != NULL
                or (self.narrow is None) != (net.typenum == cnp.NPY_DOUBLE)):
            raise ValueError("samples must be in the order that they have, and of the network")
        self.filled, self.begun = 0, False
        with cython.critical_section(net):
            work = net.training.take(net, self.capacity)
            while start < samples.m:
                net.lock.enter(False)
                with nogil:
                    start = self.add_blocks(net, work, &samples.data, start, samples.m)
                net.lock.leave()
                PyErr_CheckSignals()
            # The diagonal has the squares of the columns' norms, so nothing is infinite if their sum is not.
            for i in range(self.size):
                squares = self.work.gradient[i * (self.layer.stride + 1)]
                total += squares
            if isfinite(total):
                net.training.give_back(work)
        return squares + 0 * total

    cdef Py_ssize_t add_blocks(self, Differentiable net, Workspace work, const fastbp_samples* samples,
                               Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
        """Add blocks from `start` on, for some tens of milliseconds; where the next one begins."""
        cdef const fastbp_model* model = &net.model
        cdef Py_ssize_t m, n, n_outputs = model.layers[model.n_layers - 1].n_out
        cdef double done = 0
        while start < stop and done < PATIENCE:
            m = min(min(self.capacity, model.block_rows), stop - start)
            net.kernels.forward(model, work, samples.x, start, m)
            for n in range(n_outputs):
                if self.filled + m > self.capacity:
                    self.multiply()
                self.add_output(net.kernels, model, work, samples, start, m, n)
            done += 0.5 * self.size * self.size * m * n_outputs
            start += m
        if start >= stop:
            self.multiply()
        return start

    cdef void add_output(self, const fastbp_kernels* kernels, const fastbp_model* model, Workspace work,
                         const fastbp_samples* samples, Py_ssize_t start, Py_ssize_t m,
                         Py_ssize_t n) noexcept nogil:
        """The rows of one output of m samples."""
        cdef Py_ssize_t stride = self.layer.stride, i, j
        cdef double* rows = &self.work.deltas[self.filled * stride]
        cdef const float* narrow
        send_unit_back(kernels, model, work, samples.weights, start, m, n)
        if kernels.real_bytes == sizeof(double):
            kernels.param_rows(model, work, samples.x, start, m, rows, stride)
            residuals(model, <DoubleWorkspace>work, samples, start, m, n, rows + self.size - 1, stride)
        else:
            narrow = <const float*>cnp.PyArray_DATA(self.narrow)
            kernels.param_rows(model, work, samples.x, start, m, <void*>narrow, stride)
            for i in range(m):
                for j in range(self.size - 1):
                    rows[i * stride + j] = narrow[i * stride + j]
            residuals(model, <FloatWorkspace>work, samples, start, m, n, rows + self.size - 1, stride)
        self.filled += m

    cdef void multiply(self) noexcept nogil:
        """Add the lower half of the product of the rows that there are with themselves, in blocks of columns."""
        cdef fastbp_part part
        cdef Py_ssize_t width = COLUMNS if self.size <= NARROW_JACOBIAN else COLUMNS_WIDE
        cdef fastbp_into into = FASTBP_SUM if self.begun else FASTBP_GRADIENT
        part.column = 0
        while part.column < self.size:
            part.columns = min(width, self.size - part.column)
            part.row, part.rows = part.column, self.size - part.column
            self.kernels.weight_gradient(&self.model, self.work, 0, &self.work.deltas[0], 0, self.filled, into, part)
            part.column += width
        self.filled, self.begun = 0, True


def solve_factored(cnp.ndarray factor not None, cnp.ndarray right not None):
    """x with L L^T x = right, by forward and backward substitution; L is the lower triangle `factor`.

    Both are contiguous and of float64; `right` becomes x.
    """
    cdef Py_ssize_t n = cnp.PyArray_SIZE(right), i, j
    cdef const double* row = <const double*>cnp.PyArray_DATA(factor)
    cdef double* x = <double*>cnp.PyArray_DATA(right)
    cdef double total
    if (cnp.PyArray_TYPE(factor) != cnp.NPY_DOUBLE or cnp.PyArray_TYPE(right) != cnp.NPY_DOUBLE
            or not cnp.PyArray_ISCARRAY_RO(factor) or not cnp.PyArray_ISCARRAY(right)
            or shape_of(factor) != (n, n)):
        raise ValueError("factor must be a square matrix of float64, and right a vector as long")
    for i in range(n):
        total = x[i]
        for j in range(i):
            total -= row[j] * x[j]
        x[i] = total / row[i]
        row += n
    for i in range(n - 1, -1, -1):
        row -= n
        x[i] /= row[i]
        for j in range(i):
            x[j] -= row[j] * x[i]
    return right
