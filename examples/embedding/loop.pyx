# cython: language_level=3, boundscheck=False, wraparound=False
"""A loop in Cython that trains a network; cython_loop.py compiles and calls it.

For whole arrays, `predict_float64(handle, x, y)` and its like take memoryviews and check their shapes; here each sample is
a pointer, because a slice of a memoryview takes as long as a third of such a small network.
"""
from fastbp cimport FASTBP_OK, fastbp_begin, fastbp_end, fastbp_handle, fastbp_predict_float64
from fastbp cimport fastbp_train_step_float64, handle_of


def train(capsule, const double[:, ::1] x, const double[:, ::1] t, int epochs, double learning_rate):
    """On-line learning; returns a status of fastbp.h."""
    cdef fastbp_handle* handle = handle_of(capsule)
    cdef double error
    cdef Py_ssize_t i
    cdef int epoch, status
    with nogil:
        status = fastbp_begin(handle)
        for epoch in range(epochs):
            for i in range(x.shape[0]):
                if status == FASTBP_OK:
                    status = fastbp_train_step_float64(handle, &x[i, 0], &t[i, 0], 1, learning_rate, &error)
        fastbp_end(handle)
    return status


def predict(capsule, const double[:, ::1] x, double[:, ::1] y, int rounds):
    """The outputs for each sample by itself, `rounds` times."""
    cdef fastbp_handle* handle = handle_of(capsule)
    cdef Py_ssize_t i
    cdef int round, status = FASTBP_OK
    with nogil:
        for round in range(rounds):
            for i in range(x.shape[0]):
                if status == FASTBP_OK:
                    status = fastbp_predict_float64(handle, &x[i, 0], 1, &y[i, 0])
    return status
