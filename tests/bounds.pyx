# What a kernel does with a wrong index; test_bounds.py compiles it.

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.string cimport memset

from fastbp._core cimport DoubleWorkspace
from fastbp._kernels.kernels cimport *

import numpy as np


def output_at(capsule, ptrdiff_t place):
    """Let a float64 kernel copy the output of a single neuron from this place of a workspace with eight of them."""
    cdef const fastbp_kernels* kernels = <const fastbp_kernels*>PyCapsule_GetPointer(capsule, FASTBP_CAPSULE)
    cdef fastbp_layer layer
    cdef fastbp_model model
    cdef fastbp_place where
    cdef DoubleWorkspace work = DoubleWorkspace.__new__(DoubleWorkspace)
    cdef double output = -1
    memset(&layer, 0, sizeof(layer))
    memset(&model, 0, sizeof(model))
    memset(&where, 0, sizeof(where))
    layer.n_in = layer.n_out = layer.stride = model.n_layers = 1
    model.layers = &layer
    where.output = place
    work.outputs = np.arange(8.0)
    work.places = &where
    kernels.copy_rows(&model, work, FASTBP_OUTPUTS, 0, 1, &output, 0)
    work.places = NULL      # which the workspace would free
    return output
