# kernels.h, for Cython.
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint64_t

cdef extern from "kernels.h" nogil:
    int FASTBP_KERNELS_ABI
    const char* FASTBP_CAPSULE
    int FASTBP_BLOCK_ROWS, FASTBP_SMALL_BLOCK, FASTBP_SMALL_PARAMS
    int FASTBP_PACK_DEPTH, FASTBP_PACK_BYTES, FASTBP_SMALL_BYTES, FASTBP_PACKED_BYTES
    int FASTBP_IDENTITY, FASTBP_THRESHOLD, FASTBP_SIGMOID, FASTBP_TANH, FASTBP_RELU, FASTBP_LEAKY_RELU, FASTBP_ELU
    int FASTBP_SOFTPLUS, FASTBP_SILU, FASTBP_GELU, FASTBP_SOFTSIGN, FASTBP_GAUSSIAN, FASTBP_SIN, FASTBP_EXP
    int FASTBP_SOFTMAX
    int FASTBP_SQUARED_ERROR, FASTBP_ABSOLUTE_ERROR, FASTBP_HUBER, FASTBP_LOG_COSH, FASTBP_QUANTILE, FASTBP_POISSON
    int FASTBP_BINARY_CROSS_ENTROPY, FASTBP_CROSS_ENTROPY, FASTBP_CUSTOM
    int FASTBP_SGD, FASTBP_MOMENTUM, FASTBP_NESTEROV, FASTBP_ADAM, FASTBP_NADAM, FASTBP_RMSPROP, FASTBP_ADAGRAD
    int FASTBP_RPROP

    ctypedef struct fastbp_layer:
        ptrdiff_t n_in, n_out, stride, weights, bias
        int activation, mask_padding
        void* net_input
        void* output
        void* slope
        void* delta
        double dropout
        void* mask
        void* kept

    ctypedef struct fastbp_network:
        int n_layers
        ptrdiff_t n_params, block_rows
        fastbp_layer* layers
        int loss, fused
        double loss_parameter
        uint64_t random
        void* params
        void* gradient
        void* inputs
        void* input_error
        void* packed

    ctypedef struct fastbp_samples:
        const void* x
        const void* t
        ptrdiff_t x_stride, t_stride
        const ptrdiff_t* labels
        const ptrdiff_t* order
        const void* weights

    ctypedef struct fastbp_optimizer:
        int method
        double learning_rate, beta_1, beta_2, epsilon, largest
        int plain_epsilon
        ptrdiff_t steps
        void* mean
        void* square
        const double* rates
        double l1, l2, decay, clip, max_norm
        int batch_means

    ctypedef struct fastbp_progress:
        double error, squares, penalty
        ptrdiff_t done

    ctypedef struct fastbp_kernels:
        int abi, vector_bytes, real_bytes
        bint (*all_finite)(const void* x, ptrdiff_t n) noexcept nogil
        void (*predict)(const fastbp_network*, const void* x, ptrdiff_t x_stride, ptrdiff_t m, void* out,
                        void* scratch) noexcept nogil
        void (*forward)(fastbp_network*, const void* x, ptrdiff_t x_stride, ptrdiff_t m) noexcept nogil
        void (*output_error)(const fastbp_network*, const fastbp_samples*, ptrdiff_t start, ptrdiff_t m, double scale,
                             fastbp_progress*) noexcept nogil
        void (*apply_slope)(const fastbp_network*, int l, ptrdiff_t m) noexcept nogil
        void (*weight_gradient)(const fastbp_network*, int l, const void* x, ptrdiff_t x_stride, ptrdiff_t m,
                                int accumulate) noexcept nogil
        void (*error_signal)(const fastbp_network*, int l, ptrdiff_t m) noexcept nogil
        void (*backward)(const fastbp_network*, const void* x, ptrdiff_t x_stride, ptrdiff_t m,
                         int accumulate) noexcept nogil
        bint (*update)(const fastbp_network*, fastbp_optimizer*, double scale, double* penalty) noexcept nogil
        void (*train)(fastbp_network*, const fastbp_samples*, ptrdiff_t start, ptrdiff_t stop, ptrdiff_t batch,
                      int mean, fastbp_optimizer*, fastbp_progress*) noexcept nogil
