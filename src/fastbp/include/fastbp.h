/* A fastbp network inside a compiled loop: for C11 and C++17, for Cython (fastbp/__init__.pxd), and by address for
 * ctypes, cffi and Numba. The guide is docs/embedding.md.
 *
 * `Network.capsule` is a PyCapsule of the name FASTBP_HANDLE that holds a fastbp_handle. Each capsule has a handle of
 * its own, with its own memory to work in: one thread at a time may use it, and any number of handles may read one
 * network at once. The capsule keeps the network alive; its handle must not be used after the capsule is gone.
 *
 * Arrays are contiguous and of the network's dtype: x is (m, n_inputs), y and t are (m, n_outputs), the parameters and
 * the gradient are (n_params), layer by layer W_l row by row and then b_l, the Jacobian is (m, n_outputs, n_inputs). No
 * function needs the GIL. All return FASTBP_OK, or say what was wrong; nothing has changed then.
 */
#ifndef FASTBP_H
#define FASTBP_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FASTBP_API 1
#define FASTBP_HANDLE "fastbp.handle"

enum fastbp_status {
    FASTBP_OK = 0,
    FASTBP_DIVERGED = 1,        /* a step would have left the finite numbers */
    FASTBP_WRONG_HANDLE = -1,   /* null, of another version of this file, or of the other dtype */
    FASTBP_WRONG_SIZE = -2,     /* fewer than one sample, or arrays that do not fit */
    FASTBP_WRONG_VALUE = -3,    /* a learning rate that is not positive and finite, a target that the loss excludes */
    FASTBP_WRONG_LOSS = -4,     /* the loss is a Python function */
    FASTBP_HELD = -5,           /* begin twice, end without begin, or a loss function that uses its own network */
    FASTBP_INTERRUPTED = -6     /* Ctrl-C while the call was waiting for the network */
};

typedef struct fastbp_handle fastbp_handle;

/* begin: a pointer to a handle is a pointer to this; the fields may be read, and new ones only come behind. */
struct fastbp_handle {
    int version;                /* FASTBP_API */
    int real_bytes;             /* 4: float32, 8: float64 */
    ptrdiff_t n_inputs, n_outputs, n_params;
    int (*predict)(fastbp_handle *, const void *x, ptrdiff_t m, void *y);
    int (*train_step)(fastbp_handle *, const void *x, const void *t, ptrdiff_t m, double learning_rate, double *error);
    int (*error)(fastbp_handle *, const void *x, const void *t, ptrdiff_t m, double *error);
    int (*gradient)(fastbp_handle *, const void *x, const void *t, ptrdiff_t m, void *gradient, double *error);
    int (*jacobian)(fastbp_handle *, const void *x, ptrdiff_t m, void *jacobian);
    int (*get_params)(fastbp_handle *, void *params);
    int (*set_params)(fastbp_handle *, const void *params);
    int (*begin)(fastbp_handle *);
    int (*end)(fastbp_handle *);
    double (*value)(double x, void *handle);
    void *owner;
};
/* end */

static inline int fastbp_fits(const fastbp_handle *handle, size_t real_bytes)
{
    return handle != NULL && handle->version == FASTBP_API && (size_t)handle->real_bytes == real_bytes;
}

/* What follows is there for both dtypes, as fastbp_predict_float32 and fastbp_predict_float64 and so on:
 *
 * predict      the outputs y for x. Where the network is being trained, it waits.
 * train_step   one step of gradient descent, w <- w - h dE/dw; *error is E before it.
 * error        E, as Network.error has it: a sum over the samples, or their mean, as the network's reduction says.
 * gradient     dE/dw, and E.
 * jacobian     dy/dx.
 */
#define FASTBP_FUNCTIONS(DTYPE, REAL)                                                                              \
    static inline int fastbp_predict_##DTYPE(fastbp_handle *handle, const REAL *x, ptrdiff_t m, REAL *y)           \
    {                                                                                                              \
        return fastbp_fits(handle, sizeof(REAL)) ? handle->predict(handle, x, m, y) : FASTBP_WRONG_HANDLE;         \
    }                                                                                                              \
    static inline int fastbp_train_step_##DTYPE(fastbp_handle *handle, const REAL *x, const REAL *t, ptrdiff_t m,  \
                                                double learning_rate, double *error)                               \
    {                                                                                                              \
        return fastbp_fits(handle, sizeof(REAL)) ? handle->train_step(handle, x, t, m, learning_rate, error)       \
                                                 : FASTBP_WRONG_HANDLE;                                            \
    }                                                                                                              \
    static inline int fastbp_error_##DTYPE(fastbp_handle *handle, const REAL *x, const REAL *t, ptrdiff_t m,       \
                                           double *error)                                                          \
    {                                                                                                              \
        return fastbp_fits(handle, sizeof(REAL)) ? handle->error(handle, x, t, m, error) : FASTBP_WRONG_HANDLE;    \
    }                                                                                                              \
    static inline int fastbp_gradient_##DTYPE(fastbp_handle *handle, const REAL *x, const REAL *t, ptrdiff_t m,    \
                                              REAL *gradient, double *error)                                       \
    {                                                                                                              \
        return fastbp_fits(handle, sizeof(REAL)) ? handle->gradient(handle, x, t, m, gradient, error)              \
                                                 : FASTBP_WRONG_HANDLE;                                            \
    }                                                                                                              \
    static inline int fastbp_jacobian_##DTYPE(fastbp_handle *handle, const REAL *x, ptrdiff_t m, REAL *jacobian)   \
    {                                                                                                              \
        return fastbp_fits(handle, sizeof(REAL)) ? handle->jacobian(handle, x, m, jacobian) : FASTBP_WRONG_HANDLE; \
    }                                                                                                              \
    static inline int fastbp_get_params_##DTYPE(fastbp_handle *handle, REAL *params)                               \
    {                                                                                                              \
        return fastbp_fits(handle, sizeof(REAL)) ? handle->get_params(handle, params) : FASTBP_WRONG_HANDLE;       \
    }                                                                                                              \
    static inline int fastbp_set_params_##DTYPE(fastbp_handle *handle, const REAL *params)                         \
    {                                                                                                              \
        return fastbp_fits(handle, sizeof(REAL)) ? handle->set_params(handle, params) : FASTBP_WRONG_HANDLE;       \
    }

FASTBP_FUNCTIONS(float32, float)
FASTBP_FUNCTIONS(float64, double)

/* Between the two, the network belongs to this handle: nobody else reads or changes it, and a step need not ask for it
 * anew, which costs some 100 ns. Whoever wants the network waits for the end. */
static inline int fastbp_begin(fastbp_handle *handle)
{
    return handle != NULL && handle->version == FASTBP_API ? handle->begin(handle) : FASTBP_WRONG_HANDLE;
}

static inline int fastbp_end(fastbp_handle *handle)
{
    return handle != NULL && handle->version == FASTBP_API ? handle->end(handle) : FASTBP_WRONG_HANDLE;
}

#ifdef __cplusplus
}
#endif
#endif
