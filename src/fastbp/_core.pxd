# What the kernels see of the core: the arrays that one caller needs to run a model, as typed memoryviews.
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint64_t

from fastbp._kernels.structs cimport fastbp_place


cdef class Workspace:
    cdef ptrdiff_t rows             # at most so many at a time
    cdef fastbp_place* places       # of each layer
    cdef uint64_t random            # state of the generator of dropout's masks
    cdef tuple dropout              # None, or one rate a hidden layer
    cdef bint drops                 # whether there are such rates
    cdef Workspace next             # in the pool
    cdef void* memory               # all of its arrays
    cdef size_t n_bytes
    cdef list crew                  # workspaces of the threads that share the caller's work
    cdef object partial             # array of the gradients that they are to add


# outputs        what forward leaves, where fastbp_place says
# deltas         of the same places
# gradient       of the parameters' layout
# inputs         (rows, n_in): samples gathered in shuffled order
# input_errors   (rows, n_in padded): dE/dx
# packed         blocks of large or transposed matrices, in the order in which they are read
cdef class FloatWorkspace(Workspace):
    cdef float[::1] outputs, deltas, gradient, inputs, input_errors, packed


cdef class DoubleWorkspace(Workspace):
    cdef double[::1] outputs, deltas, gradient, inputs, input_errors, packed
