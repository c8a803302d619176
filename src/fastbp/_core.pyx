"""The compiled core: owns parameters and workspaces, checks every array at the door, calls the kernels.

A hot method takes an exact, contiguous ndarray of the network's dtype as it is; anything else is
converted first, or refused with an error that names the argument. Behind the door nothing is checked again.

Memory. The parameters are one flat, padded array (kernels.h) that lives as long as a view of it; everything else is a
workspace that the network keeps and that grows when a larger batch comes.

Threads. Whatever many threads may use is touched under a lock: the GIL, or in a free-threaded Python the critical
section of its object, which locks at the same places where the GIL does. Short calls keep it to their end. Long ones
let it go, and are counted (turns.pxi): any number of predictions at a time, or one call that trains or uses the
training workspace.
"""

import os
import threading

import numpy as np

from fastbp._arrays import aligned_zeros, apply_loss, as_reals, labels

cimport cython
cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from cpython.pycapsule cimport PyCapsule_GetPointer
from cpython.pythread cimport PyThread_get_thread_ident
from libc.math cimport HUGE_VAL, isfinite, sqrt
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int64_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy, memset

from fastbp._kernels.kernels cimport *

cnp.import_array()

# Declared here: a cimport would import numpy.random along with fastbp, which takes longer than all else.
cdef extern from "numpy/random/bitgen.h":
    ctypedef struct bitgen_t:
        void* state
        uint32_t (*next_uint32)(void*) noexcept

cdef extern from "cpu.h":
    int fastbp_cpu_level()
    const char* FASTBP_COMPILER
    const char* FASTBP_FLAGS

ACTIVATIONS = {
    "identity": FASTBP_IDENTITY, "threshold": FASTBP_THRESHOLD, "sigmoid": FASTBP_SIGMOID, "tanh": FASTBP_TANH,
    "relu": FASTBP_RELU, "leaky_relu": FASTBP_LEAKY_RELU, "elu": FASTBP_ELU, "softplus": FASTBP_SOFTPLUS,
    "silu": FASTBP_SILU, "gelu": FASTBP_GELU, "softsign": FASTBP_SOFTSIGN, "gaussian": FASTBP_GAUSSIAN,
    "sin": FASTBP_SIN, "exp": FASTBP_EXP, "softmax": FASTBP_SOFTMAX,
}
LOSSES = {
    "squared_error": FASTBP_SQUARED_ERROR, "absolute_error": FASTBP_ABSOLUTE_ERROR, "huber": FASTBP_HUBER,
    "log_cosh": FASTBP_LOG_COSH, "quantile": FASTBP_QUANTILE, "poisson": FASTBP_POISSON,
    "binary_cross_entropy": FASTBP_BINARY_CROSS_ENTROPY, "cross_entropy": FASTBP_CROSS_ENTROPY,
}
COMPILER = FASTBP_COMPILER.decode()
FLAGS = FASTBP_FLAGS.decode()

# Activations whose slope is taken at the net input r, which must then outlive the output a (activation.h).
cdef tuple AT_NET_INPUT = (FASTBP_SOFTPLUS, FASTBP_SILU, FASTBP_GELU, FASTBP_GAUSSIAN, FASTBP_SIN)

# Losses of probabilities or counts, which want the net inputs r too and send back d = dE/dr (loss.pxi).
cdef tuple FUSED = (FASTBP_POISSON, FASTBP_BINARY_CROSS_ENTROPY, FASTBP_CROSS_ENTROPY)

# Multiplications above which a call releases the GIL: some ten microseconds; releasing it costs 20 ns and more.
cdef enum:
    LONG_WORK = 200_000
# Multiplications between two looks for Ctrl-C: at most some tens of milliseconds.
cdef double PATIENCE = 1e8

# The tables in force: of float32 and of float64, each for narrow networks and for all others.
cdef const fastbp_kernels* in_force[2][2]


def cpu_level():
    """The highest level of instruction sets that this processor runs: 0, 3 or 4 as in simd.h."""
    return fastbp_cpu_level()


def install(capsules):
    """Let networks created from now on use the tables of these kernel modules, one or two of them, of one dtype.

    A network whose widest layer fits into a vector of the first takes that one, for wider vectors only cost it time.
    """
    cdef const fastbp_kernels* table
    for i, capsule in enumerate((capsules[0], capsules[len(capsules) - 1])):
        table = <const fastbp_kernels*>PyCapsule_GetPointer(capsule, FASTBP_CAPSULE)
        if table.abi != FASTBP_KERNELS_ABI:
            raise ImportError(f"kernels of ABI {table.abi}, expected {FASTBP_KERNELS_ABI}: "
                              "the installation is mixed up")
        in_force[table.real_bytes == sizeof(double)][i] = table


class DivergenceError(ArithmeticError):
    """Training left the finite numbers; the network keeps the last finite parameters.

    Attributes
    ----------
    epoch : int
        Epoch in which it happened, from 0.
    sample : int
        Row of X with which the refused update began, from 0.
    """

    def __init__(self, epoch, sample):
        super().__init__(epoch, sample)
        self.epoch = epoch
        self.sample = sample

    def __str__(self):
        return (f"training diverged in epoch {self.epoch} at sample {self.sample}: the error or its gradient is no "
                "longer finite. The parameters are the last finite ones; a smaller learning rate may help.")


cdef class Memory:
    """Zeroed bytes on a cache line's boundary; MemoryError where there are not as many."""
    cdef void* raw
    cdef char* data
    cdef Py_ssize_t size

    def __cinit__(self, size):
        try:
            self.size = size
            self.raw = PyMem_RawCalloc(<Py_ssize_t>(size + 64), 1)
        except OverflowError:
            pass
        if self.raw == NULL:
            raise MemoryError(f"a network this large needs an array of {size} bytes")
        self.data = <char*>((<uintptr_t>self.raw + 63) & ~<uintptr_t>63)

    def __dealloc__(self):
        PyMem_RawFree(self.raw)


cdef inline Py_ssize_t padded(Py_ssize_t n, Py_ssize_t lanes) noexcept nogil:
    return (n + lanes - 1) // lanes * lanes


include "turns.pxi"


cdef class Workspace:
    """The arrays of a training step for up to `rows` rows at a time; `dropout` is None or one rate a hidden layer."""
    cdef fastbp_network net
    cdef Py_ssize_t rows
    cdef list arrays
    cdef tuple dropout

    def __cinit__(self, Core core, rows, bint keep_net_inputs, tuple dropout):
        cdef Py_ssize_t lanes = core.lanes, itemsize = core.itemsize
        cdef fastbp_layer* layer
        cdef int l
        self.rows, self.dropout = rows, dropout
        self.arrays = []
        self.net = core.net
        self.net.layers = <fastbp_layer*>self.array(core.net.n_layers * sizeof(fastbp_layer))
        memcpy(self.net.layers, core.net.layers, core.net.n_layers * sizeof(fastbp_layer))
        self.net.gradient = self.array(core.net.n_params * itemsize)
        self.net.inputs = self.array(rows * core.n_inputs * itemsize)
        self.net.input_error = self.array(rows * padded(core.n_inputs, lanes) * itemsize)
        self.net.packed = self.array(FASTBP_PACKED_BYTES)
        for l in range(self.net.n_layers):
            layer = &self.net.layers[l]
            # Whole vectors are read at a time, also where a single output has stride 1.
            size = padded(rows * layer.stride, lanes) * itemsize
            layer.output = self.array(size)
            layer.delta = self.array(size)
            layer.slope = self.array(padded(layer.stride, lanes) * itemsize)
            if dropout is not None and l + 1 < self.net.n_layers and dropout[l] > 0:
                layer.dropout = dropout[l]
                layer.mask, layer.kept = self.array(size), self.array(size)
            # A fused loss is a function of the outputs' logarithms, which the net inputs still tell when they are 0.
            keep_it = keep_net_inputs or layer.activation in AT_NET_INPUT or (l + 1 == self.net.n_layers
                                                                              and self.net.fused)
            layer.net_input = self.array(size) if keep_it else layer.output

    cdef void* array(self, size) except NULL:
        cdef Memory memory = Memory(size)
        self.arrays.append(memory)
        return memory.data


cdef class Core:
    """Parameters, workspaces and compiled methods of one network; `fastbp.Network` is its face.

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
    reduction : str
        As `fastbp.Network` has checked it.
    dtype : numpy.dtype
        float32 or float64.
    """
    cdef const fastbp_kernels* kernels
    cdef fastbp_network net
    cdef Memory layers
    cdef int typenum
    cdef Py_ssize_t itemsize, lanes, widest
    cdef bint mean
    cdef readonly Py_ssize_t n_inputs, n_outputs, n_params
    cdef readonly tuple layer_sizes, activations, weights, biases
    cdef readonly str reduction
    cdef readonly object dtype, loss
    cdef object custom       # the loss where it is a callable
    cdef object storage
    cdef Workspace workspace
    cdef Memory scratch
    cdef Turns turns

    def __cinit__(self, *args, **kwargs):
        # Until __init__ has run, no array fits.
        self.n_inputs = -1
        self.turns = Turns()

    def __init__(self, layer_sizes, activations, loss, kind, double parameter, reduction, dtype):
        cdef fastbp_layer* layer
        cdef bint is_double, is_wide
        cdef int l, n_layers = len(layer_sizes) - 1
        if self.n_inputs != -1:
            raise TypeError("a network cannot be initialised twice")
        self.layer_sizes, self.activations = tuple(layer_sizes), tuple(activations)
        self.loss, self.reduction, self.dtype = loss, reduction, dtype
        self.mean = reduction == "mean"
        self.custom = kind if callable(kind) else None
        self.net.loss = FASTBP_CUSTOM if callable(kind) else LOSSES[kind]
        self.net.loss_parameter = parameter
        self.net.fused = self.net.loss in FUSED
        self.n_params = self.widest = 0
        self.typenum = (<cnp.dtype>dtype).num
        self.itemsize = dtype.itemsize
        is_double = self.typenum == cnp.NPY_DOUBLE
        is_wide = max(layer_sizes[1:]) * self.itemsize > in_force[is_double][0].vector_bytes
        self.kernels = in_force[is_double][is_wide]
        self.lanes = self.kernels.vector_bytes // self.itemsize
        self.layers = Memory(n_layers * sizeof(fastbp_layer))
        self.net.layers = <fastbp_layer*>self.layers.data
        self.net.n_layers = n_layers
        offset = 0
        for l in range(n_layers):
            n_in, n_out = layer_sizes[l], layer_sizes[l + 1]
            stride = 1 if n_out == 1 else -(-n_out // self.lanes) * self.lanes
            bias = offset + (-(-n_in // self.lanes) * self.lanes if n_out == 1 else n_in * stride)
            # The largest array that any call will need is known to fit before anything is cut to size.
            if bias * self.itemsize + FASTBP_BLOCK_ROWS * (n_in + stride) * self.itemsize > 2**62:
                raise MemoryError(f"a network with layer_sizes {tuple(layer_sizes)} does not fit into memory")
            layer = &self.net.layers[l]
            layer.n_in, layer.n_out, layer.stride = n_in, n_out, stride
            layer.weights, layer.bias = offset, bias
            layer.activation = ACTIVATIONS[activations[l]]
            layer.mask_padding = 1 < n_out != stride and l + 1 < n_layers
            self.n_params += (n_in + 1) * n_out
            self.widest = max(self.widest, stride)
            offset = bias + padded(stride, self.lanes)
        self.net.n_params = offset
        self.net.block_rows = FASTBP_SMALL_BLOCK if offset * self.itemsize <= FASTBP_SMALL_PARAMS else FASTBP_BLOCK_ROWS
        self.storage = aligned_zeros(offset, dtype)
        self.net.params = cnp.PyArray_DATA(self.storage)
        self.weights = tuple([self.view(l, True) for l in range(n_layers)])
        self.biases = tuple([self.view(l, False) for l in range(n_layers)])
        self.n_outputs = layer_sizes[n_layers]
        self.n_inputs = layer_sizes[0]

    cdef object view(self, int l, bint weights):
        """A live view of W_l or b_l."""
        cdef fastbp_layer* layer = &self.net.layers[l]
        if weights:
            return np.ndarray((layer.n_in, layer.n_out), self.dtype, self.storage, layer.weights * self.itemsize,
                              (layer.stride * self.itemsize, self.itemsize))
        return np.ndarray((layer.n_out,), self.dtype, self.storage, layer.bias * self.itemsize)

    # ---------------------------------------------------------------- the training workspace

    cdef fastbp_network* work(self, Py_ssize_t m, tuple dropout=None) except NULL:
        """The training workspace, large enough for blocks of m rows; it is the caller's turn to use it."""
        cdef Workspace workspace
        cdef Py_ssize_t rows = 1
        self.turns.wait(True)
        if (self.workspace is None or self.workspace.rows < min(m, self.net.block_rows)
                or (self.workspace.dropout is not dropout and self.workspace.dropout != dropout)):
            while rows < min(m, self.net.block_rows):
                rows *= 2
            workspace = Workspace(self, rows, False, dropout)
            self.turns.wait(True)       # while it was made, garbage collection may have let other threads run
            workspace.net.random = 0 if self.workspace is None else self.workspace.net.random
            self.workspace = workspace
        return &self.workspace.net

    @cython.critical_section
    cdef fastbp_network* enter_training(self, Py_ssize_t m, tuple dropout=None) except NULL:
        """The training workspace, for this caller alone until it calls leave()."""
        cdef fastbp_network* net = self.work(m, dropout)
        self.turns.enter(True, self.custom is not None)
        return net

    @cython.critical_section
    cdef int leave(self) except -1:
        return self.turns.leave()

    # ---------------------------------------------------------------- the door

    cdef inline bint is_ready(self, object array) noexcept:
        """Whether the array can be used as it is."""
        return (cnp.PyArray_CheckExact(array) and cnp.PyArray_TYPE(<cnp.ndarray>array) == self.typenum
                and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>array))

    cdef cnp.ndarray inputs(self, object X, str name):
        """X as (n_inputs,) or (M, n_inputs), contiguous and of the network's dtype."""
        cdef cnp.ndarray x = X if self.is_ready(X) else as_reals(X, name, self.dtype)
        cdef int ndim = cnp.PyArray_NDIM(x)
        if not (ndim == 1 or ndim == 2) or cnp.PyArray_DIM(x, ndim - 1) != self.n_inputs:
            raise ValueError(f"{name} must have the shape ({self.n_inputs},) of one sample or (M, {self.n_inputs}) of "
                             f"M samples, got {np.shape(x)}")
        return x

    cdef cnp.ndarray targets(self, object T, str name, cnp.ndarray x):
        """T with a row of n_outputs for each row of x; a single output may leave its axis out.

        For cross-entropy one integer a sample is taken too, the number of the output that is to be 1, and returned as
        an array of intp: the type tells labels from targets.
        """
        cdef cnp.ndarray t
        cdef int ndim = cnp.PyArray_NDIM(x)
        if self.is_ready(T):
            t = T
        elif self.net.loss == FASTBP_CROSS_ENTROPY and np.ndim(T) == ndim - 1:
            return labels(T, name, 1 if ndim == 1 else len(x), self.n_outputs)
        else:
            t = as_reals(T, name, self.dtype)
        if cnp.PyArray_NDIM(t) == ndim and cnp.PyArray_DIM(t, ndim - 1) == self.n_outputs and (
                ndim == 1 or cnp.PyArray_DIM(t, 0) == cnp.PyArray_DIM(x, 0)):
            return t
        if ndim == 2 and self.n_outputs == 1 and np.shape(t) == (len(x),):
            return t
        or_labels = f", or an integer label {'of' if ndim == 1 else 'for each'} sample" * (
            self.net.loss == FASTBP_CROSS_ENTROPY)
        raise ValueError(f"{name} must have the shape {np.shape(x)[:ndim - 1] + (self.n_outputs,)}, one row of "
                         f"{self.n_outputs} for each sample{or_labels}, got {np.shape(t)}")

    cdef void point(self, fastbp_samples* samples, cnp.ndarray x, cnp.ndarray t) noexcept:
        """The samples of these inputs and targets, as they stand and of equal weight."""
        samples.x = cnp.PyArray_DATA(x)
        samples.x_stride = self.n_inputs
        samples.t_stride = self.n_outputs
        samples.t = samples.labels = samples.order = NULL
        samples.weights = NULL
        if cnp.PyArray_TYPE(t) == self.typenum:
            samples.t = cnp.PyArray_DATA(t)
        else:
            samples.labels = <const ptrdiff_t*>cnp.PyArray_DATA(t)

    cdef int demand_finite(self, cnp.ndarray array, str name) except -1:
        if cnp.PyArray_TYPE(array) != self.typenum:
            return 0        # integer labels
        if not self.kernels.all_finite(cnp.PyArray_DATA(array), cnp.PyArray_SIZE(array)):
            where = tuple([int(i) for i in np.argwhere(~np.isfinite(array))[0]])
            raise ValueError(f"{name} must be finite, got {array[where]} at index {where} (as {self.dtype})")
        return 0

    cdef int demand_targets(self, cnp.ndarray t, str name) except -1:
        """Finite, and within the range of which the loss is a function."""
        self.demand_finite(t, name)
        if self.net.loss == FASTBP_BINARY_CROSS_ENTROPY and not (t.min() >= 0 and t.max() <= 1):
            raise ValueError(f"{name} must be from 0 to 1 for binary_cross_entropy, got {t.min()} to {t.max()}")
        if self.net.loss == FASTBP_POISSON and not t.min() >= 0:
            raise ValueError(f"{name} must not be negative for the poisson loss, got {t.min()}")
        return 0

    cdef int demand_apart(self, cnp.ndarray out, cnp.ndarray other, str names) except -1:
        """Both are contiguous."""
        cdef uintptr_t start = <uintptr_t>cnp.PyArray_DATA(out), other_start = <uintptr_t>cnp.PyArray_DATA(other)
        if start < other_start + cnp.PyArray_NBYTES(other) and other_start < start + cnp.PyArray_NBYTES(out):
            raise ValueError(f"out must not overlap {names}")
        return 0

    cdef cnp.ndarray checked_out(self, object out, tuple shape):
        """`out` if a result of that shape can be written into it."""
        if not isinstance(out, np.ndarray):
            raise TypeError(f"out must be a numpy.ndarray, got {type(out).__name__}")
        if out.dtype != self.dtype:
            raise TypeError(f"out must have dtype {self.dtype}, got {out.dtype}")
        if np.shape(out) != shape:
            raise ValueError(f"out must have the shape {shape}, got {np.shape(out)}")
        if not cnp.PyArray_ISCARRAY(<cnp.ndarray>out):
            raise ValueError("out must be C-contiguous, aligned and writable, got an array that is "
                             + ("not writable" if not out.flags.writeable else "not contiguous or not aligned"))
        self.demand_apart(out, self.storage, "the network's parameters")
        return out

    cdef Samples samples(self, object X, object T, object sample_weight=None, bint finite=True):
        """Checked samples to compute a loss of."""
        cdef Samples samples = Samples.__new__(Samples)
        samples.x = self.inputs(X, "X")
        samples.t = self.targets(T, "T", samples.x)
        samples.single = cnp.PyArray_NDIM(samples.x) == 1
        samples.m = 1 if samples.single else cnp.PyArray_DIM(samples.x, 0)
        if samples.m == 0:
            raise ValueError("X must hold at least one sample, got none")
        self.point(&samples.data, samples.x, samples.t)
        samples.total_weight = samples.m
        if sample_weight is not None:
            if self.custom is not None:
                raise ValueError("sample_weight must be None beside a loss function of one's own, which is not told")
            samples.weights = self.vector(sample_weight, "sample_weight", samples.m)
            samples.data.weights = cnp.PyArray_DATA(samples.weights)
            samples.total_weight = np.sum(samples.weights, dtype=np.float64)
            if np.any(samples.weights < 0) or not samples.total_weight > 0:
                raise ValueError("sample_weight must hold no negative number and at least one positive, got a sum of "
                                 f"{samples.total_weight} and a least of {np.min(samples.weights)}")
        if finite:
            self.demand_finite(samples.x, "X")
            self.demand_targets(samples.t, "T")
        return samples

    cdef cnp.ndarray vector(self, object values, str name, Py_ssize_t length, bint finite=True):
        cdef cnp.ndarray vector = as_reals(values, name, self.dtype)
        if np.shape(vector) != (length,):
            raise ValueError(f"{name} must have the shape ({length},), got {np.shape(vector)}")
        if finite:
            self.demand_finite(vector, name)
        return vector

    # ---------------------------------------------------------------- parameters

    cdef int copy_flat(self, char* padded_array, char* compact, bint to_compact) noexcept:
        """Between the padded layout of the kernels and the compact one of users: W_l row by row, then b_l."""
        cdef fastbp_layer* layer
        cdef Py_ssize_t n, _
        cdef int l
        cdef char* row
        for l in range(self.net.n_layers):
            layer = &self.net.layers[l]
            # A single output's W is one row of n_in, else there are n_in rows of n_out; the bias is one row more.
            n = (layer.n_in if layer.n_out == 1 else layer.n_out) * self.itemsize
            row = padded_array + layer.weights * self.itemsize
            for _ in range(1 if layer.n_out == 1 else layer.n_in):
                memcpy(compact if to_compact else row, row if to_compact else compact, n)
                compact += n
                row += layer.stride * self.itemsize
            row = padded_array + layer.bias * self.itemsize
            n = layer.n_out * self.itemsize
            memcpy(compact if to_compact else row, row if to_compact else compact, n)
            compact += n
        return 0

    cdef cnp.ndarray flat(self):
        return np.empty(self.n_params, self.dtype)

    cdef cnp.ndarray compact(self, void* padded_array):
        cdef cnp.ndarray flat = self.flat()
        self.copy_flat(<char*>padded_array, cnp.PyArray_BYTES(flat), True)
        return flat

    cdef Memory padded_copy(self, object values, str name):
        cdef cnp.ndarray flat = self.vector(values, name, self.n_params, finite=False)
        cdef Memory memory = Memory(self.net.n_params * self.itemsize)
        self.copy_flat(memory.data, cnp.PyArray_BYTES(flat), False)
        return memory

    @property
    @cython.critical_section
    def params(self):
        """All parameters as a new vector: layer by layer, W_l row by row and then b_l. Set it to change them all.

        The vector is read-only, because writing into the copy would change nothing; write into `weights` and `biases`,
        or assign a whole vector of shape (n_params,).
        """
        cdef cnp.ndarray flat = self.flat()     # before the wait: nothing may come between waiting and copying
        self.turns.wait(False)
        self.copy_flat(<char*>self.net.params, cnp.PyArray_BYTES(flat), True)
        cnp.PyArray_CLEARFLAGS(flat, cnp.NPY_ARRAY_WRITEABLE)
        return flat

    @params.setter
    @cython.critical_section
    def params(self, values):
        cdef cnp.ndarray flat = self.vector(values, "params", self.n_params, finite=False)
        self.turns.wait(True)
        self.copy_flat(<char*>self.net.params, cnp.PyArray_BYTES(flat), False)

    # ---------------------------------------------------------------- prediction

    def predict(self, X, out=None):
        """Outputs of the network.

        Parameters
        ----------
        X : array_like, shape (n_inputs,) or (M, n_inputs)
            One sample or M of them. NaN and infinity are let through. A contiguous array of the network's dtype is
            read where it stands; anything else is converted first.
        out : ndarray, shape (n_outputs,) or (M, n_outputs), optional
            Where to write the outputs: of the network's dtype, contiguous, writable, apart from X and the parameters.

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
        cdef cnp.ndarray x = self.inputs(X, "X")
        cdef cnp.ndarray y
        cdef int ndim = cnp.PyArray_NDIM(x)
        cdef cnp.npy_intp shape[2]
        shape[0] = cnp.PyArray_DIM(x, 0)
        shape[ndim - 1] = self.n_outputs
        if out is None:
            y = cnp.PyArray_SimpleNew(ndim, shape, self.typenum)
        else:
            y = self.checked_out(out, tuple([shape[i] for i in range(ndim)]))
            self.demand_apart(y, x, "X")
        self.predict_rows(cnp.PyArray_DATA(x), 1 if ndim == 1 else shape[0], cnp.PyArray_DATA(y))
        return y

    @cython.critical_section
    cdef int predict_rows(self, const void* x, Py_ssize_t m, void* y) except -1:
        cdef fastbp_network net = self.net
        # Another thread's call may have taken the network's scratch: then this one has its own.
        cdef Memory scratch = self.scratch
        cdef Py_ssize_t size = (2 * padded(min(m, self.net.block_rows) * self.widest, self.lanes)
                                * self.itemsize + FASTBP_PACKED_BYTES)
        self.scratch = None
        if scratch is None or scratch.size < size:
            scratch = Memory(size)
        net.packed = scratch.data
        if <double>m * net.n_params < LONG_WORK:
            self.turns.wait(False)
            self.kernels.predict(&net, x, self.n_inputs, m, y, scratch.data + FASTBP_PACKED_BYTES)
        else:
            self.turns.enter(False)
            with nogil:
                self.kernels.predict(&net, x, self.n_inputs, m, y, scratch.data + FASTBP_PACKED_BYTES)
            self.turns.leave()
        self.scratch = scratch
        return 0

    # ---------------------------------------------------------------- loss and gradient

    cdef int propagate(self, fastbp_network* net, Samples samples, double scale, bint forward_only,
                       fastbp_progress* progress) except -1:
        """E and the sum of squares, by going forward; the gradient in the workspace, by going back."""
        cdef Py_ssize_t start = 0, m
        cdef const char* x = <const char*>samples.data.x
        while start < samples.m:
            m = min(samples.m - start, self.net.block_rows)
            if self.custom is None:
                with nogil:
                    self.kernels.forward(net, x, self.n_inputs, m)
                    self.kernels.output_error(net, &samples.data, start, m, scale, progress)
            else:
                self.kernels.forward(net, x, self.n_inputs, m)
                self.custom_error(net, samples, start, m, scale, progress)
            if not forward_only:
                with nogil:
                    self.kernels.backward(net, x, self.n_inputs, m, start > 0)
            x += m * self.n_inputs * self.itemsize
            start += m
        return 0

    cdef int custom_error(self, fastbp_network* net, Samples samples, Py_ssize_t start, Py_ssize_t m, double scale,
                          fastbp_progress* progress) except -1:
        """What the kernels' output_error does, by the user's function."""
        cdef fastbp_layer* layer = &net.layers[net.n_layers - 1]
        cdef cnp.ndarray outputs = np.empty((m, self.n_outputs), self.dtype), slopes
        cdef Py_ssize_t i, n = self.n_outputs * self.itemsize
        cdef object targets = samples.t.reshape(samples.m, self.n_outputs)[start:start + m]
        self.take_rows(layer.output, layer, outputs, 0, m)
        error, squares, slopes = apply_loss(self.custom, outputs, targets, scale)
        for i in range(m):
            memcpy(<char*>layer.delta + i * layer.stride * self.itemsize, cnp.PyArray_BYTES(slopes) + i * n, n)
        progress.error += error
        progress.squares += squares
        return 0

    cdef fastbp_progress backpropagate(self, Samples samples, cnp.ndarray gradient) except *:
        """E and the sum of squares; where a gradient is given, it is filled."""
        cdef fastbp_network* net
        cdef fastbp_progress progress
        cdef double scale = 1 / samples.total_weight if self.mean else 1
        memset(&progress, 0, sizeof(progress))
        net = self.enter_training(samples.m)
        try:
            self.propagate(net, samples, scale, gradient is None, &progress)
            if gradient is not None:
                self.copy_flat(<char*>net.gradient, cnp.PyArray_BYTES(gradient), True)
        finally:
            self.leave()
        progress.error *= scale
        return progress

    def error(self, X, T, sample_weight=None):
        """The loss E over all samples, divided by M where the reduction is "mean".

        Parameters
        ----------
        X : array_like, shape (n_inputs,) or (M, n_inputs)
            Inputs; at least one sample.
        T : array_like, shape (n_outputs,) or (M, n_outputs)
            Targets; (M,) is taken too where there is one output.
        sample_weight : array_like, shape (M,), optional
            Factor of each sample's error, not negative; all 1 by default. A mean divides by their sum.

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
        return self.backpropagate(self.samples(X, T, sample_weight, False), None).error

    def rms(self, X, T):
        """Root of the mean squared error, ``sqrt(sum (y - t)**2 / (M n_outputs))``: what training reports.

        Parameters
        ----------
        X : array_like, shape (n_inputs,) or (M, n_inputs)
            Inputs; at least one sample.
        T : array_like, shape (n_outputs,) or (M, n_outputs)
            Targets; (M,) is taken too where there is one output.

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

    def _error_and_rms(self, X, T):
        """What `error` and `rms` give, in one pass."""
        cdef Samples samples = self.samples(X, T, None, False)
        cdef fastbp_progress progress = self.backpropagate(samples, None)
        return progress.error, sqrt(progress.squares / (<double>samples.m * self.n_outputs))

    def gradient(self, X, T, out=None, sample_weight=None):
        """E and dE/dparams, in the form that ``scipy.optimize.minimize(..., jac=True)`` wants.

        Parameters
        ----------
        X : array_like, shape (n_inputs,) or (M, n_inputs)
            Inputs, finite; at least one sample.
        T : array_like, shape (n_outputs,) or (M, n_outputs)
            Targets, finite; (M,) is taken too where there is one output.
        out : ndarray, shape (n_params,), optional
            Where to write the gradient: of the network's dtype, contiguous, writable, apart from the parameters.
        sample_weight : array_like, shape (M,), optional
            Factor of each sample's error, not negative; all 1 by default. A mean divides by their sum.

        Returns
        -------
        error : float
            E, as `error` gives it.
        gradient : ndarray, shape (n_params,)
            In the order of `params`: the sums over samples of delta times input, and of delta for the biases.

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
        cdef Samples samples = self.samples(X, T, sample_weight)
        cdef cnp.ndarray flat
        if out is None:
            flat = np.empty(self.n_params, self.dtype)
        else:
            flat = self.checked_out(out, (self.n_params,))
            self.demand_apart(flat, samples.x, "X")
            self.demand_apart(flat, samples.t, "T")
        return self.backpropagate(samples, flat).error, flat

    def _trace(self, X, T):
        """What happens on the way forth and back: the fields of `fastbp.network.Trace`, sample axis included."""
        cdef Samples samples = self.samples(X, T)
        cdef Workspace workspace = Workspace(self, min(samples.m, self.net.block_rows), True, None)
        cdef fastbp_progress progress
        cdef double scale = 1.0 / samples.m if self.mean else 1
        widths = [len(bias) for bias in self.biases]
        r, a, e, d = [[np.empty((samples.m, width), self.dtype) for width in widths] for _ in range(4)]
        progress.error = progress.squares = progress.done = 0
        with cython.critical_section(self):
            self.turns.enter(True, self.custom is not None)
        try:
            self.trace(samples, workspace, scale, r, a, e, d, &progress)
        finally:
            self.leave()
        return samples.single, r, a, e, d, self.compact(workspace.net.gradient), progress.error * scale

    cdef int trace(self, Samples samples, Workspace workspace, double scale, list r, list a, list e, list d,
                   fastbp_progress* progress) except -1:
        cdef Py_ssize_t start = 0, m
        cdef fastbp_network* net = &workspace.net
        cdef fastbp_layer* layer
        cdef fastbp_progress ignored
        cdef const char* x = <const char*>samples.data.x
        cdef int l, n_layers = net.n_layers
        while start < samples.m:
            m = min(samples.m - start, workspace.rows)
            self.kernels.forward(net, x, self.n_inputs, m)
            if net.fused:
                # Once for the error signal e, which training passes over; only the second time counts for E.
                net.fused = False
                self.kernels.output_error(net, &samples.data, start, m, scale, &ignored)
                self.take_rows(net.layers[n_layers - 1].delta, &net.layers[n_layers - 1], e[n_layers - 1], start, m)
                net.fused = True
            if self.custom is None:
                self.kernels.output_error(net, &samples.data, start, m, scale, progress)
            else:
                self.custom_error(net, samples, start, m, scale, progress)
            for l in range(n_layers - 1, -1, -1):
                layer = &net.layers[l]
                self.take_rows(layer.net_input, layer, r[l], start, m)
                self.take_rows(layer.output, layer, a[l], start, m)
                if not (net.fused and l == n_layers - 1):
                    self.take_rows(layer.delta, layer, e[l], start, m)
                self.kernels.apply_slope(net, l, m)
                self.take_rows(layer.delta, layer, d[l], start, m)
                self.kernels.weight_gradient(net, l, x, self.n_inputs, m, start > 0)
                if l > 0:
                    self.kernels.error_signal(net, l, m)
            x += m * self.n_inputs * self.itemsize
            start += m
        return 0

    cdef int take_rows(self, const void* rows, const fastbp_layer* layer, cnp.ndarray target, Py_ssize_t start,
                       Py_ssize_t m) except -1:
        """Copy m padded rows of a layer into compact rows of target."""
        cdef Py_ssize_t i, n = layer.n_out * self.itemsize
        cdef char* to = cnp.PyArray_BYTES(target) + start * n
        for i in range(m):
            memcpy(to + i * n, <const char*>rows + i * layer.stride * self.itemsize, n)
        return 0

    cdef void take_input_errors(self, fastbp_network* net, char* to, Py_ssize_t to_stride,
                                Py_ssize_t m) noexcept nogil:
        """Send the output layer's error signal back through all layers and copy dE/dx of m rows."""
        cdef Py_ssize_t i, n = self.n_inputs
        cdef Py_ssize_t stride = 1 if n == 1 else padded(n, self.lanes)
        cdef int l
        for l in range(net.n_layers - 1, -1, -1):
            self.kernels.apply_slope(net, l, m)
            self.kernels.error_signal(net, l, m)
        for i in range(m):
            memcpy(to + i * to_stride * self.itemsize, <char*>net.input_error + i * stride * self.itemsize,
                   n * self.itemsize)

    def input_gradient(self, X, T):
        """dE/dx: the error signal that reaches the inputs.

        Parameters
        ----------
        X : array_like, shape (n_inputs,) or (M, n_inputs)
            Inputs, finite; at least one sample.
        T : array_like, shape (n_outputs,) or (M, n_outputs)
            Targets, finite; (M,) is taken too where there is one output.

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
        cdef Samples samples = self.samples(X, T)
        cdef cnp.ndarray gradient = np.empty(np.shape(samples.x), self.dtype)
        cdef fastbp_network* net
        cdef fastbp_progress progress
        cdef char* to = cnp.PyArray_BYTES(gradient)
        cdef const char* x = <const char*>samples.data.x
        cdef double scale = 1.0 / samples.m if self.mean else 1
        cdef Py_ssize_t start = 0, m, row = self.n_inputs * self.itemsize
        net = self.enter_training(samples.m)
        try:
            while start < samples.m:
                m = min(samples.m - start, self.net.block_rows)
                with nogil:
                    self.kernels.forward(net, x + start * row, self.n_inputs, m)
                    if net.loss != FASTBP_CUSTOM:
                        self.kernels.output_error(net, &samples.data, start, m, scale, &progress)
                if self.custom is not None:
                    self.custom_error(net, samples, start, m, scale, &progress)
                with nogil:
                    self.take_input_errors(net, to + start * row, self.n_inputs, m)
                start += m
        finally:
            self.leave()
        return gradient

    def jacobian(self, X):
        """dy/dx, by sending each output back on its own.

        Parameters
        ----------
        X : array_like, shape (n_inputs,) or (M, n_inputs)
            Inputs, finite.

        Returns
        -------
        ndarray, shape (n_outputs, n_inputs) or (M, n_outputs, n_inputs)
            The derivative of each output with respect to each input.

        Raises
        ------
        ValueError, TypeError
            If X has the wrong shape, length or dtype, or is not finite.

        Examples
        --------
        >>> import fastbp
        >>> net = fastbp.Network([2, 1], "identity", init=[([[2.0], [3.0]], [0.0])])
        >>> net.jacobian([1.0, 1.0])
        array([[2., 3.]])
        """
        cdef cnp.ndarray x = self.inputs(X, "X")
        cdef Py_ssize_t total = 1 if cnp.PyArray_NDIM(x) == 1 else cnp.PyArray_DIM(x, 0)
        cdef cnp.ndarray jacobian = np.empty((total, self.n_outputs, self.n_inputs), self.dtype)
        cdef cnp.ndarray unit = np.ones(1, self.dtype)
        cdef fastbp_network* net
        cdef fastbp_layer* last
        cdef Py_ssize_t start = 0, m, n, i
        cdef Py_ssize_t row = self.n_inputs * self.itemsize
        cdef const char* source = cnp.PyArray_BYTES(x)
        cdef char* to = cnp.PyArray_BYTES(jacobian)
        cdef const char* one = cnp.PyArray_BYTES(unit)
        self.demand_finite(x, "X")
        net = self.enter_training(total)
        last = &net.layers[net.n_layers - 1]
        net.fused = False       # what is sent back is dy/dy, not the loss's delta
        with nogil:
            while start < total:
                m = min(total - start, self.net.block_rows)
                self.kernels.forward(net, source + start * row, self.n_inputs, m)
                for n in range(self.n_outputs):
                    memset(last.delta, 0, m * last.stride * self.itemsize)
                    for i in range(m):
                        memcpy(<char*>last.delta + (i * last.stride + n) * self.itemsize, one, self.itemsize)
                    self.take_input_errors(net, to + (start * self.n_outputs + n) * row, self.n_outputs * self.n_inputs,
                                           m)
                start += m
        net.fused = self.net.fused
        self.leave()
        return jacobian[0] if cnp.PyArray_NDIM(x) == 1 else jacobian

    # ---------------------------------------------------------------- training

    def train_step(self, x, t, learning_rate=None, optimizer=None):
        """One step of gradient descent: on-line learning for a single sample, batch learning for a batch.

        Parameters
        ----------
        x : array_like, shape (n_inputs,) or (M, n_inputs)
            Inputs, finite; at least one sample.
        t : array_like, shape (n_outputs,) or (M, n_outputs)
            Targets, finite; (M,) is taken too where there is one output.
        learning_rate : float, default 0.1
            h in ``w <- w - h dE/dw``; positive and finite. An optimizer has its own.
        optimizer : optimizer, optional
            One of `fastbp.optimizers`. Makes the update in place of plain descent, and goes on from its last one.

        Returns
        -------
        float
            E of the samples before the update.

        Raises
        ------
        ValueError, TypeError
            If an argument has the wrong shape, length or dtype, or is not finite.
        DivergenceError
            If E or the update is not finite. Whatever is raised, the parameters are what they were.

        Examples
        --------
        >>> import fastbp
        >>> net = fastbp.Network([1, 1], "identity", init=[([[2.0]], [0.0])])
        >>> net.train_step([3.0], [5.0], learning_rate=0.5)
        0.5
        >>> net.params
        array([ 0.5, -0.5])
        """
        cdef cnp.ndarray inputs = self.inputs(x, "x")
        cdef cnp.ndarray targets = self.targets(t, "t", inputs)
        cdef Py_ssize_t m = 1 if cnp.PyArray_NDIM(inputs) == 1 else cnp.PyArray_DIM(inputs, 0)
        cdef fastbp_optimizer numbers
        cdef fastbp_samples samples
        cdef fastbp_progress progress
        if optimizer is None:
            memset(&numbers, 0, sizeof(numbers))
            numbers.learning_rate = 0.1 if learning_rate is None else checked_rate(learning_rate)
        else:
            if not isinstance(optimizer, Optimizer):
                raise TypeError(f"optimizer must be an optimizer object or None, got {optimizer!r}")
            if learning_rate is not None:
                raise ValueError("learning_rate must be None beside an optimizer, which has its own; "
                                 f"got {learning_rate!r}")
        if m == 0:
            raise ValueError("x must hold at least one sample, got none")
        self.demand_finite(inputs, "x")
        self.demand_targets(targets, "t")
        if optimizer is not None:
            _state = (<Optimizer>optimizer).attach(self, &numbers)
        if self.custom is None:
            self.point(&samples, inputs, targets)
            self.train(&samples, 0, m, m, &numbers, &progress)
        else:
            self.custom_step(inputs, targets, None, &numbers, &progress)
        if optimizer is not None:
            (<Optimizer>optimizer).went_on(&numbers)
        if progress.done < m:
            raise DivergenceError(0, 0)
        return progress.error / m if self.mean else progress.error

    cdef inline int demand_rate(self, double rate) except -1:
        if self.typenum == cnp.NPY_FLOAT and not (0 < <float>rate < HUGE_VAL):
            raise ValueError(f"learning_rate must be positive and finite in float32, got {rate!r}")
        return 0

    @cython.critical_section
    cdef int train(self, const fastbp_samples* samples, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t batch,
                   fastbp_optimizer* optimizer, fastbp_progress* progress, tuple dropout=None) except -1:
        cdef fastbp_network* net
        self.demand_rate(optimizer.learning_rate)
        progress.error = progress.squares = progress.penalty = 0
        net = self.work(min(batch, stop - start), dropout)
        if 3.0 * (stop - start) * self.net.n_params < LONG_WORK:
            self.kernels.train(net, samples, start, stop, batch, self.mean, optimizer, progress)
        else:
            self.turns.enter(True)
            with nogil:
                self.kernels.train(net, samples, start, stop, batch, self.mean, optimizer, progress)
            self.turns.leave()
        return 0

    @cython.critical_section
    cdef int seed_dropout(self, Py_ssize_t batch, tuple dropout, uint64_t seed) except -1:
        """Let the masks of the training workspace follow from this seed."""
        self.work(batch, dropout).random = seed
        return 0

    cdef int custom_step(self, cnp.ndarray x, cnp.ndarray t, tuple dropout, fastbp_optimizer* optimizer,
                         fastbp_progress* progress) except -1:
        """One update by a loss that is a Python function."""
        cdef Samples samples = self.samples(x, t, None, False)
        cdef fastbp_network* net
        cdef double scale = 1.0 / samples.m if self.mean else 1
        memset(progress, 0, sizeof(progress[0]))
        net = self.enter_training(samples.m, dropout)
        try:
            self.propagate(net, samples, scale, False, progress)
            if isfinite(progress.error) and self.kernels.update(net, optimizer, scale, &progress.penalty):
                progress.done = samples.m
        finally:
            self.leave()
        progress.penalty *= samples.m
        return 0

    def _samples(self, X, T, sample_weight=None, bint normalise=True):
        """Samples checked once, for the epochs of a fit.

        Where the loss is a mean, weights are normalised to a mean of 1, so that a batch is divided by its samples.
        """
        cdef Samples samples = self.samples(X, T, sample_weight)
        if normalise and self.mean and samples.weights is not None:
            samples.weights = np.multiply(samples.weights, samples.m / samples.total_weight, dtype=self.dtype)
            samples.data.weights = cnp.PyArray_DATA(samples.weights)
        return samples

    def _train_epoch(self, Samples samples, order, Py_ssize_t batch, Optimizer optimizer, epoch, tuple dropout=None,
                     seed=0):
        """One epoch over the samples; (E, sum of squares).

        order: a numpy.random.Generator that makes a new one, an order, or None: as they stand. dropout: rates of the
        hidden layers, whose masks follow from the seed.
        """
        cdef fastbp_progress progress
        cdef fastbp_optimizer numbers
        cdef tuple _state = optimizer.attach(self, &numbers)
        cdef double error = 0, squares = 0, penalty = 0
        cdef Py_ssize_t start = 0, stop
        cdef Py_ssize_t chunk = max(1, <Py_ssize_t>(PATIENCE / (3.0 * self.net.n_params * batch))) * batch
        if order is not None:
            samples.reorder(order)
        if dropout is not None:
            self.seed_dropout(batch, dropout, seed)
        if self.custom is not None:
            chunk = batch
        while start < samples.m:
            stop = min(start + chunk, samples.m)
            if self.custom is None:
                self.train(&samples.data, start, stop, batch, &numbers, &progress, dropout)
            else:
                rows = slice(start, stop) if order is None else samples.order[start:stop]
                self.custom_step(np.ascontiguousarray(samples.x[rows]), np.ascontiguousarray(samples.t[rows]), dropout,
                                 &numbers, &progress)
            optimizer.went_on(&numbers)
            error += progress.error
            squares += progress.squares
            penalty += progress.penalty
            start += progress.done
            if start < stop:
                raise DivergenceError(epoch, start if order is None else samples.data.order[start])
            PyErr_CheckSignals()
        samples.penalty = penalty / samples.m
        return error / samples.m if self.mean else error, squares

    def bind(self, x, t=None, out=None, learning_rate=0.1):
        """Hold on to buffers, for loops in which the checks of every call would cost more than the network.

        Parameters
        ----------
        x : ndarray, shape (n_inputs,) or (M, n_inputs)
            Inputs, read anew at every call: of the network's dtype, contiguous.
        t : ndarray, shape (n_outputs,) or (M, n_outputs), optional
            Targets, likewise; needed by `step` only.
        out : ndarray, shape (n_outputs,) or (M, n_outputs), optional
            Where `predict` writes; a new array by default.
        learning_rate : float, default 0.1
            Of every `step`.

        Returns
        -------
        Bound
            With ``predict()``, which returns `out`, and ``step()``, which trains and returns E before the update.
            Neither looks at what is in the arrays.

        Raises
        ------
        ValueError, TypeError
            If an array has the wrong shape, dtype or layout.

        Examples
        --------
        >>> import fastbp, numpy as np
        >>> net = fastbp.Network([1, 1], "identity", init=[([[2.0]], [0.0])])
        >>> x = np.zeros(1)
        >>> bound = net.bind(x)
        >>> x[:] = 21
        >>> bound.predict()
        array([42.])
        """
        cdef Bound bound = Bound.__new__(Bound)
        for array, name in ((x, "x"), (t, "t")):
            if array is not None and not self.is_ready(array):
                came = f" of {array.dtype} with strides {array.strides}" if isinstance(array, np.ndarray) else ""
                raise TypeError(f"{name} must be an aligned, C-contiguous numpy.ndarray of {self.dtype} to be bound, "
                                f"got {type(array).__name__}{came}")
        bound.net = self
        bound.x = self.inputs(x, "x")
        bound.m = 1 if cnp.PyArray_NDIM(bound.x) == 1 else cnp.PyArray_DIM(bound.x, 0)
        shape = np.shape(bound.x)[:cnp.PyArray_NDIM(bound.x) - 1] + (self.n_outputs,)
        bound.out = np.empty(shape, self.dtype) if out is None else self.checked_out(out, shape)
        self.demand_apart(bound.out, bound.x, "x")
        if t is not None:
            bound.t = self.targets(t, "t", bound.x)
            self.demand_apart(bound.out, bound.t, "t")
            if bound.m == 0:
                raise ValueError("x must hold at least one sample to train on, got none")
        bound.descent.learning_rate = checked_rate(learning_rate)
        self.point(&bound.samples, bound.x, bound.x if t is None else bound.t)
        return bound


include "optimizer.pxi"
include "samples.pxi"
include "bound.pxi"


cdef double checked_rate(object learning_rate) except -1:
    cdef double rate
    try:
        rate = learning_rate
    except TypeError:
        kind = type(learning_rate).__name__
        raise TypeError(f"learning_rate must be a number, got {kind} {learning_rate!r}") from None
    except OverflowError:
        rate = HUGE_VAL     # an int beyond all floats
    if not (0 < rate < HUGE_VAL):
        raise ValueError(f"learning_rate must be positive and finite, got {learning_rate!r}")
    return rate
