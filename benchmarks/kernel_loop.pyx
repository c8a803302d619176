# cython: language_level=3, boundscheck=False, wraparound=False
"""The kernels called from C with nothing around them, for benchmarks/embedding.py: what an embedded call is compared with.

A network of sigmoid layers in float64, laid out as kernels.h says, and the workspace of a single row.
"""
from libc.math cimport HUGE_VAL
from libc.string cimport memset

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from cpython.pycapsule cimport PyCapsule_GetPointer

import numpy as np

from fastbp import _core
from fastbp._core cimport DoubleWorkspace
from fastbp._kernels.kernels cimport *

cdef extern from "time.h" nogil:
    struct timespec:
        long tv_sec, tv_nsec
    int timespec_get(timespec*, int)
    int TIME_UTC


cdef double now() noexcept nogil:
    cdef timespec t
    timespec_get(&t, TIME_UTC)
    return t.tv_sec + 1e-9 * t.tv_nsec


def aligned(Py_ssize_t n):
    raw = np.zeros(8 * n + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start:start + 8 * n].view(np.float64)


def times(table, sizes, params, const double[:, ::1] x, const double[:, ::1] t, int rounds):
    """Least nanoseconds of a prediction and of a training step, and the outputs before training."""
    cdef const fastbp_kernels* kernels = <const fastbp_kernels*>PyCapsule_GetPointer(table, FASTBP_CAPSULE)
    cdef int n_layers = len(sizes) - 1, l, round
    cdef Py_ssize_t lanes = kernels.vector_bytes // 8, at = 0, places = 0, i, m = x.shape[0]
    cdef fastbp_model model
    cdef fastbp_optimizer descent
    cdef fastbp_progress progress
    cdef fastbp_samples samples
    cdef DoubleWorkspace work = DoubleWorkspace.__new__(DoubleWorkspace)
    cdef double[::1] storage, compact = np.array(params)
    cdef double[:, ::1] y = np.empty((m, sizes[n_layers]))
    cdef fastbp_layer* layer
    cdef double start, best_predict = HUGE_VAL, best_step = HUGE_VAL
    cdef int nobody = 0
    memset(&model, 0, sizeof(model))
    memset(&descent, 0, sizeof(descent))
    memset(&samples, 0, sizeof(samples))
    model.n_layers, model.block_rows = n_layers, FASTBP_SMALL_BLOCK
    model.layers = <fastbp_layer*>PyMem_RawCalloc(n_layers, sizeof(fastbp_layer))
    work.rows, work.places = 1, <fastbp_place*>PyMem_RawCalloc(n_layers, sizeof(fastbp_place))    # freed by it
    for l in range(n_layers):
        layer = &model.layers[l]
        layer.n_in, layer.n_out = sizes[l], sizes[l + 1]
        layer.stride = 1 if layer.n_out == 1 else -(-layer.n_out // lanes) * lanes
        layer.weights = at
        layer.bias = at + (-(-layer.n_in // lanes) * lanes if layer.n_out == 1 else layer.n_in * layer.stride)
        layer.activation = _core.ACTIVATIONS["sigmoid"]
        layer.mask_padding = 1 < layer.n_out != layer.stride and l + 1 < n_layers
        at = layer.bias + -(-layer.stride // lanes) * lanes
        model.widest = max(model.widest, layer.stride)
        work.places[l].output = work.places[l].net_input = work.places[l].kept = places
        work.places[l].slope = places + 128
        places += 256
    model.n_params = at
    storage = aligned(at)
    model.params = &storage[0]
    kernels.copy_params(&model, model.params, &compact[0], False)
    work.outputs, work.deltas, work.gradient = aligned(places), aligned(places), aligned(at)
    work.inputs, work.input_errors, work.packed = aligned(256), aligned(256), aligned(4096)
    samples.x, samples.t = &x[0, 0], &t[0, 0]
    descent.learning_rate = 0.01
    with nogil:
        for round in range(rounds):
            start = now()
            for i in range(m):
                kernels.predict(&model, work, &x[i, 0], 1, &y[i, 0])
            best_predict = min(best_predict, now() - start)
    outputs = np.array(y)
    with nogil:
        for round in range(rounds):
            start = now()
            for i in range(m):
                progress.error = progress.squares = progress.penalty = 0
                progress.done = progress.diverged = 0
                kernels.train(&model, work, &samples, i, i + 1, 1, False, &descent, &nobody, NULL, &progress)
            best_step = min(best_step, now() - start)
    PyMem_RawFree(model.layers)
    return 1e9 * best_predict / m, 1e9 * best_step / m, outputs
