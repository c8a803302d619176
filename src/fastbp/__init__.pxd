# cython: boundscheck=False, wraparound=False
# A network in a loop that Cython compiles: `from fastbp cimport fastbp_handle, handle_of, predict_float64`, with
# include_dirs=[fastbp.get_include()]. What the functions do, and when a handle may be used, is in include/fastbp.h.
#
# Every function is there for each dtype by a name of its own, and for samples as pointers (fastbp_predict_float64) as
# well as for memoryviews (predict_float64), whose shapes are checked.
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stddef cimport ptrdiff_t

cdef extern from "fastbp.h" nogil:
    int FASTBP_API
    const char* FASTBP_HANDLE
    int FASTBP_OK, FASTBP_DIVERGED, FASTBP_WRONG_HANDLE, FASTBP_WRONG_SIZE, FASTBP_WRONG_VALUE, FASTBP_WRONG_LOSS
    int FASTBP_HELD, FASTBP_INTERRUPTED

    ctypedef struct fastbp_handle:
        int version, real_bytes
        ptrdiff_t n_inputs, n_outputs, n_params

    int fastbp_predict_float32(fastbp_handle*, const float* x, ptrdiff_t m, float* y) noexcept
    int fastbp_predict_float64(fastbp_handle*, const double* x, ptrdiff_t m, double* y) noexcept
    int fastbp_train_step_float32(fastbp_handle*, const float* x, const float* t, ptrdiff_t m, double learning_rate,
                                  double* error) noexcept
    int fastbp_train_step_float64(fastbp_handle*, const double* x, const double* t, ptrdiff_t m, double learning_rate,
                                  double* error) noexcept
    int fastbp_error_float32(fastbp_handle*, const float* x, const float* t, ptrdiff_t m, double* error) noexcept
    int fastbp_error_float64(fastbp_handle*, const double* x, const double* t, ptrdiff_t m, double* error) noexcept
    int fastbp_gradient_float32(fastbp_handle*, const float* x, const float* t, ptrdiff_t m, float* gradient,
                                double* error) noexcept
    int fastbp_gradient_float64(fastbp_handle*, const double* x, const double* t, ptrdiff_t m, double* gradient,
                                double* error) noexcept
    int fastbp_jacobian_float32(fastbp_handle*, const float* x, ptrdiff_t m, float* jacobian) noexcept
    int fastbp_jacobian_float64(fastbp_handle*, const double* x, ptrdiff_t m, double* jacobian) noexcept
    int fastbp_get_params_float32(fastbp_handle*, float* params) noexcept
    int fastbp_get_params_float64(fastbp_handle*, double* params) noexcept
    int fastbp_set_params_float32(fastbp_handle*, const float* params) noexcept
    int fastbp_set_params_float64(fastbp_handle*, const double* params) noexcept
    int fastbp_begin(fastbp_handle*) noexcept
    int fastbp_end(fastbp_handle*) noexcept


cdef inline fastbp_handle* handle_of(object capsule) except NULL:
    """The handle in what `Network.capsule` returned; keep the capsule for as long as you use it."""
    return <fastbp_handle*>PyCapsule_GetPointer(capsule, FASTBP_HANDLE)


# ---------------------------------------------------------------- memoryviews: samples are rows

cdef inline bint _is_of(fastbp_handle* handle, ptrdiff_t rows, ptrdiff_t n_inputs, ptrdiff_t m,
                        ptrdiff_t n_outputs) noexcept nogil:
    """Whether x of shape (rows, n_inputs) and y or t of shape (m, n_outputs) are samples of this network."""
    return (handle is not NULL and rows == m > 0 and n_inputs == handle.n_inputs and n_outputs == handle.n_outputs)


cdef inline int predict_float32(fastbp_handle* handle, const float[:, ::1] x, float[:, ::1] y) noexcept nogil:
    if not _is_of(handle, x.shape[0], x.shape[1], y.shape[0], y.shape[1]):
        return FASTBP_WRONG_SIZE
    return fastbp_predict_float32(handle, &x[0, 0], x.shape[0], &y[0, 0])


cdef inline int predict_float64(fastbp_handle* handle, const double[:, ::1] x, double[:, ::1] y) noexcept nogil:
    if not _is_of(handle, x.shape[0], x.shape[1], y.shape[0], y.shape[1]):
        return FASTBP_WRONG_SIZE
    return fastbp_predict_float64(handle, &x[0, 0], x.shape[0], &y[0, 0])


cdef inline int train_step_float32(fastbp_handle* handle, const float[:, ::1] x, const float[:, ::1] t,
                                   double learning_rate, double* error) noexcept nogil:
    if not _is_of(handle, x.shape[0], x.shape[1], t.shape[0], t.shape[1]):
        return FASTBP_WRONG_SIZE
    return fastbp_train_step_float32(handle, &x[0, 0], &t[0, 0], x.shape[0], learning_rate, error)


cdef inline int train_step_float64(fastbp_handle* handle, const double[:, ::1] x, const double[:, ::1] t,
                                   double learning_rate, double* error) noexcept nogil:
    if not _is_of(handle, x.shape[0], x.shape[1], t.shape[0], t.shape[1]):
        return FASTBP_WRONG_SIZE
    return fastbp_train_step_float64(handle, &x[0, 0], &t[0, 0], x.shape[0], learning_rate, error)


cdef inline int error_float32(fastbp_handle* handle, const float[:, ::1] x, const float[:, ::1] t,
                              double* error) noexcept nogil:
    if not _is_of(handle, x.shape[0], x.shape[1], t.shape[0], t.shape[1]):
        return FASTBP_WRONG_SIZE
    return fastbp_error_float32(handle, &x[0, 0], &t[0, 0], x.shape[0], error)


cdef inline int error_float64(fastbp_handle* handle, const double[:, ::1] x, const double[:, ::1] t,
                              double* error) noexcept nogil:
    if not _is_of(handle, x.shape[0], x.shape[1], t.shape[0], t.shape[1]):
        return FASTBP_WRONG_SIZE
    return fastbp_error_float64(handle, &x[0, 0], &t[0, 0], x.shape[0], error)


cdef inline int gradient_float32(fastbp_handle* handle, const float[:, ::1] x, const float[:, ::1] t,
                                 float[::1] gradient, double* error) noexcept nogil:
    if (not _is_of(handle, x.shape[0], x.shape[1], t.shape[0], t.shape[1])
            or gradient.shape[0] != handle.n_params):
        return FASTBP_WRONG_SIZE
    return fastbp_gradient_float32(handle, &x[0, 0], &t[0, 0], x.shape[0], &gradient[0], error)


cdef inline int gradient_float64(fastbp_handle* handle, const double[:, ::1] x, const double[:, ::1] t,
                                 double[::1] gradient, double* error) noexcept nogil:
    if (not _is_of(handle, x.shape[0], x.shape[1], t.shape[0], t.shape[1])
            or gradient.shape[0] != handle.n_params):
        return FASTBP_WRONG_SIZE
    return fastbp_gradient_float64(handle, &x[0, 0], &t[0, 0], x.shape[0], &gradient[0], error)


cdef inline int jacobian_float32(fastbp_handle* handle, const float[:, ::1] x,
                                 float[:, :, ::1] jacobian) noexcept nogil:
    if (not _is_of(handle, x.shape[0], x.shape[1], jacobian.shape[0], jacobian.shape[1])
            or jacobian.shape[2] != handle.n_inputs):
        return FASTBP_WRONG_SIZE
    return fastbp_jacobian_float32(handle, &x[0, 0], x.shape[0], &jacobian[0, 0, 0])


cdef inline int jacobian_float64(fastbp_handle* handle, const double[:, ::1] x,
                                 double[:, :, ::1] jacobian) noexcept nogil:
    if (not _is_of(handle, x.shape[0], x.shape[1], jacobian.shape[0], jacobian.shape[1])
            or jacobian.shape[2] != handle.n_inputs):
        return FASTBP_WRONG_SIZE
    return fastbp_jacobian_float64(handle, &x[0, 0], x.shape[0], &jacobian[0, 0, 0])
