# The door: every array that comes in is checked here, and nowhere behind it.
#
# An exact, contiguous ndarray of the network's dtype is taken as it is, by its C fields: 2 to 4 ns, where a memoryview
# argument costs 85. Anything else is converted first (_arrays.py), or refused with an error that names the argument.
# Only the C fields of a subclass of ndarray are trusted, too: its own `shape` and `dtype` may say anything.

cdef inline bint is_ready(Model net, object array) noexcept:
    """Whether the array can be used as it is."""
    return (cnp.PyArray_CheckExact(array) and cnp.PyArray_TYPE(<cnp.ndarray>array) == net.typenum
            and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>array))


cdef inline cnp.ndarray reals(Model net, object values, str name):
    """`values` as a contiguous array of the network's dtype, or an error that names the argument."""
    cdef cnp.ndarray array
    if is_ready(net, values):
        return values
    array = of_floats(net, values)
    return as_reals(values, name, net.dtype) if array is None else array


@cython.boundscheck(True)   # without the GIL another thread may shorten a list meanwhile
cdef cnp.ndarray of_floats(Model net, object values):
    """A list of floats or of equally long lists of floats as an array; None where `values` is anything else.

    NumPy takes 20 to 25 ns a number, half of it to find out what is in the lists; this loop takes 3.
    """
    cdef cnp.npy_intp shape[2]
    cdef bint single
    cdef list rows, row
    cdef Py_ssize_t i, j
    cdef object value
    cdef cnp.ndarray array
    if type(values) is not list or not values:
        return None
    value = (<list>values)[0]
    single = type(value) is float
    rows = [values] if single else values
    shape[0], shape[1] = len(rows), len(<list>values) if single else len(<list>value) if type(value) is list else 0
    if shape[1] == 0:
        return None
    array = cnp.PyArray_SimpleNew(2 - single, shape + single, net.typenum)
    for i in range(shape[0]):
        value = rows[i]
        if type(value) is not list or len(<list>value) != shape[1]:
            return None
        row = <list>value
        for j in range(shape[1]):
            value = row[j]
            if type(value) is not float:
                return None
            if net.typenum == cnp.NPY_FLOAT64:
                (<double*>cnp.PyArray_DATA(array))[i * shape[1] + j] = value
            else:
                (<float*>cnp.PyArray_DATA(array))[i * shape[1] + j] = value
    return array


cdef tuple shape_of(cnp.ndarray array):
    return tuple([array.shape[i] for i in range(cnp.PyArray_NDIM(array))])


cdef cnp.ndarray checked_inputs(Model net, object X, str name):
    """X as (n_inputs,) or (M, n_inputs), contiguous and of the network's dtype."""
    cdef cnp.ndarray x = reals(net, X, name)
    demand_inputs(net, x, name)
    return x


cdef inline int demand_inputs(Model net, cnp.ndarray x, str name) except -1:
    cdef int ndim = cnp.PyArray_NDIM(x)
    if not (ndim == 1 or ndim == 2) or cnp.PyArray_DIM(x, ndim - 1) != net.n_inputs:
        net.demand_storage()
        raise ValueError(f"{name} must have the shape ({net.n_inputs},) for one sample or (M, {net.n_inputs}) for "
                         f"M samples, got {np.shape(x)}{about_inputs(x, name, net.n_inputs)}")
    return 0


cdef inline Py_ssize_t count_of(cnp.ndarray x) noexcept:
    """How many samples the inputs are."""
    return 1 if cnp.PyArray_NDIM(x) == 1 else cnp.PyArray_DIM(x, 0)


cdef cnp.ndarray checked_targets(Model net, object T, str name, cnp.ndarray x):
    """T with a row of n_outputs for each row of x, or where there is a single output, without its axis.

    For cross-entropy T may hold one integer for each sample, the number of the output that is to be 1. An array of intp
    is then returned: the type tells labels from targets.
    """
    cdef cnp.ndarray t
    cdef int ndim = cnp.PyArray_NDIM(x)
    if is_ready(net, T):
        t = T
    elif net.model.loss == FASTBP_CROSS_ENTROPY and np.ndim(T) == ndim - 1:
        return labels(T, name, count_of(x), net.n_outputs)
    else:
        t = reals(net, T, name)
    if cnp.PyArray_NDIM(t) == ndim and cnp.PyArray_DIM(t, ndim - 1) == net.n_outputs and (
            ndim == 1 or cnp.PyArray_DIM(t, 0) == cnp.PyArray_DIM(x, 0)):
        return t
    if net.n_outputs == 1 and np.shape(t) == np.shape(x)[:ndim - 1]:
        return t
    expected = str(np.shape(x)[:ndim - 1] + (net.n_outputs,))
    if net.n_outputs == 1 and ndim == 2:
        expected += f" or ({count_of(x)},)"
    if net.model.loss == FASTBP_CROSS_ENTROPY and cnp.PyArray_NDIM(t) == ndim - 1:
        labels(t, name, count_of(x), net.n_outputs)     # refuses floats
    or_labels = ", or an integer label per sample" * (net.model.loss == FASTBP_CROSS_ENTROPY)
    raise ValueError(f"{name} must have the shape {expected}, {row_per_sample(net)}{or_labels}, got {np.shape(t)}"
                     f"{about_targets(t, T, name, count_of(x), net.n_outputs, net.loss)}")


cdef str row_per_sample(Model net):
    return f"one row of {net.n_outputs} {'value' if net.n_outputs == 1 else 'values'} per sample"


cdef void point(Model net, fastbp_samples* samples, cnp.ndarray x, cnp.ndarray t) noexcept:
    """The samples of these inputs and targets, as they stand and of equal weight."""
    samples.x = cnp.PyArray_DATA(x)
    samples.t = samples.labels = samples.order = NULL
    samples.weights = NULL
    if cnp.PyArray_TYPE(t) == net.typenum:
        samples.t = cnp.PyArray_DATA(t)
    else:
        samples.labels = <const ptrdiff_t*>cnp.PyArray_DATA(t)


cdef int demand_finite(Model net, cnp.ndarray array, str name, object given) except -1:
    """`given` is what the user passed for the array."""
    if cnp.PyArray_TYPE(array) != net.typenum:
        return 0        # integer labels
    if not net.kernels.all_finite(cnp.PyArray_DATA(array), cnp.PyArray_SIZE(array)):
        where = divergence.place_of_nonfinite(array)
        raise ValueError(f"{name} must be finite, got {array[where]}{place(where, given)} (as {net.dtype})")
    return 0


cdef inline bint fits_range(Model net, const void* t, Py_ssize_t n) noexcept nogil:
    """Whether n targets are in the range on which the loss is defined."""
    return net.targets_from == -HUGE_VAL or net.kernels.all_within(t, n, net.targets_from, net.targets_to)


cdef int demand_range(Model net, cnp.ndarray t, str name) except -1:
    """Refuse targets outside the range on which the loss is defined."""
    if cnp.PyArray_TYPE(t) == net.typenum and not fits_range(net, cnp.PyArray_DATA(t), cnp.PyArray_SIZE(t)):
        wanted = (f"not be below {net.targets_from:g}" if net.targets_to == HUGE_VAL
                  else f"be from {net.targets_from:g} to {net.targets_to:g}")
        raise ValueError(f"{name} must {wanted} for the loss {net.loss!r}, got {span(t.min(), t.max())}")
    return 0


cdef inline bint fits_rate(Layout net, double rate) noexcept nogil:
    """Whether a positive and finite rate is that in the network's dtype, too."""
    return net.typenum != cnp.NPY_FLOAT or 0 < <float>rate < HUGE_VAL


cdef int demand_rate(Layout net, double rate) except -1:
    if not fits_rate(net, rate):
        raise ValueError(f"learning_rate must be positive and finite in float32, got {rate!r}")
    return 0


cdef int demand_optimizer(object optimizer, object learning_rate) except -1:
    """An optimizer, which has a learning rate of its own, or None."""
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        refuse_class("optimizer", optimizer)
        if isinstance(optimizer, WholeBatch):
            raise TypeError(f"optimizer must be one that takes single steps, got {type(optimizer).__name__}, which is "
                            "for fit alone")
        raise TypeError("optimizer must be an object that is made once, before the first step, for example by "
                        f"fastbp.Adam(); got {came(optimizer)}")
    if optimizer is not None and learning_rate is not None:
        raise ValueError("learning_rate cannot be given together with an optimizer object, which has its own; got "
                         f"{learning_rate!r}")
    return 0


cdef int demand_apart(cnp.ndarray out, cnp.ndarray other, str names) except -1:
    if overlap(out, other):
        raise ValueError(f"out must not overlap {names}")
    return 0


cdef bint overlap(cnp.ndarray one, cnp.ndarray other) noexcept:
    """Both are contiguous."""
    cdef uintptr_t start = <uintptr_t>cnp.PyArray_DATA(one), other_start = <uintptr_t>cnp.PyArray_DATA(other)
    return start < other_start + cnp.PyArray_NBYTES(other) and other_start < start + cnp.PyArray_NBYTES(one)


cdef cnp.ndarray checked_out(Model net, object out, tuple shape):
    """`out` if a result of that shape can be written into it."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a numpy.ndarray, got {kind(out)}")
    if cnp.PyArray_TYPE(<cnp.ndarray>out) != net.typenum or not cnp.PyArray_ISNOTSWAPPED(<cnp.ndarray>out):
        raise TypeError(f"out must have dtype {net.dtype}, got {np.asarray(out).dtype}")
    if shape_of(out) != shape:
        raise ValueError(f"out must have the shape {shape}, got {shape_of(out)}")
    if not cnp.PyArray_ISCARRAY(<cnp.ndarray>out):
        raise ValueError("out must be C-contiguous, aligned and writable, got an array that is "
                         + ("not writable" if not cnp.PyArray_ISWRITEABLE(<cnp.ndarray>out)
                            else "not contiguous or not aligned"))
    demand_apart(out, net.storage, "the network's parameters")
    return out


cdef Samples checked_samples(Model net, object X, object T, object sample_weight=None, bint finite=True):
    """Checked samples, of which to compute a loss."""
    cdef Samples samples = Samples.__new__(Samples)
    samples.x = checked_inputs(net, X, "X")
    samples.t = checked_targets(net, T, "T", samples.x)
    samples.single = cnp.PyArray_NDIM(samples.x) == 1
    samples.m = count_of(samples.x)
    if samples.m == 0:
        raise ValueError("X must hold at least one sample, got none")
    point(net, &samples.data, samples.x, samples.t)
    samples.total_weight = samples.m
    if sample_weight is not None:
        if net.custom is not None:
            raise ValueError("sample_weight cannot be used with a loss function of your own, which would not see it")
        samples.weights = reals(net, sample_weight, "sample_weight")
        if np.shape(samples.weights) != (samples.m,):
            raise ValueError(f"sample_weight must have the shape ({samples.m},), got {np.shape(samples.weights)}")
        demand_finite(net, samples.weights, "sample_weight", sample_weight)
        samples.data.weights = cnp.PyArray_DATA(samples.weights)
        samples.total_weight = total_of(samples.weights)
    if finite:
        demand_finite(net, samples.x, "X", X)
        demand_finite(net, samples.t, "T", T)
    demand_range(net, samples.t, "T")
    return samples


cdef double rate_of(Model net, object learning_rate, Py_ssize_t m) except -1:
    """The rate for updates by plain descent: the one given, or else 0.1, divided by m where an update is a sum."""
    if learning_rate is None:
        return 0.1 if net.mean else 0.1 / m
    return checked_rate(learning_rate)


cdef double checked_rate(object learning_rate) except -1:
    cdef double rate
    if type(learning_rate) is float:
        rate = <double>learning_rate
        if 0 < rate < HUGE_VAL:
            return rate
    try:
        rate = learning_rate
    except TypeError:
        raise TypeError(f"learning_rate must be a number, got {came(learning_rate)}") from None
    except OverflowError:
        rate = HUGE_VAL     # an int too large for a float
    if not (0 < rate < HUGE_VAL):
        raise ValueError(f"learning_rate must be positive and finite, got {learning_rate!r}")
    return rate
