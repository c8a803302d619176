# kernels.h, for Cython.
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint64_t

cdef extern from "kernels.h" nogil:
    int FASTBP_KERNELS_ABI
    const char* FASTBP_CAPSULE
    int FASTBP_BLOCK_ROWS, FASTBP_SMALL_BLOCK, FASTBP_SMALL_PARAMS
    # Those that are named beyond the tables in activations.h and kernels.h.
    int FASTBP_IDENTITY, FASTBP_SOFTMAX
    int FASTBP_SQUARED_ERROR, FASTBP_ABSOLUTE_ERROR, FASTBP_HUBER, FASTBP_LOG_COSH, FASTBP_QUANTILE, FASTBP_POISSON
    int FASTBP_BINARY_CROSS_ENTROPY, FASTBP_CROSS_ENTROPY, FASTBP_CUSTOM
    int FASTBP_SGD, FASTBP_MOMENTUM, FASTBP_NESTEROV, FASTBP_ADAM, FASTBP_NADAM, FASTBP_RMSPROP, FASTBP_ADAGRAD
    int FASTBP_RPROP

    ctypedef struct fastbp_layer:
        ptrdiff_t n_in, n_out, stride, weights, bias
        int activation, mask_padding

    ctypedef struct fastbp_model:
        int n_layers
        ptrdiff_t n_params, block_rows, widest
        fastbp_layer* layers
        int loss, fused
        double loss_parameter
        void* params

    ctypedef struct fastbp_place:
        ptrdiff_t output, net_input, slope, kept, mask
        double dropout

    ctypedef struct fastbp_samples:
        const void* x
        const void* t
        const ptrdiff_t* labels
        const ptrdiff_t* order
        const void* weights

    ctypedef struct fastbp_momentum:
        double momentum

    ctypedef struct fastbp_adam:
        double beta_1, beta_2, epsilon

    ctypedef struct fastbp_rmsprop:
        double rho, epsilon

    ctypedef struct fastbp_adagrad:
        double epsilon

    ctypedef struct fastbp_rprop:
        double grow, shrink, least, largest

    ctypedef union fastbp_own_numbers:
        fastbp_momentum momentum
        fastbp_adam adam
        fastbp_rmsprop rmsprop
        fastbp_adagrad adagrad
        fastbp_rprop rprop
        double in_order[4]

    ctypedef struct fastbp_optimizer:
        int method
        double learning_rate
        fastbp_own_numbers own
        ptrdiff_t steps
        void* mean
        void* square
        const double* rates
        double l1, l2, decay, clip, max_norm
        int batch_means, plain_epsilon

    ctypedef struct fastbp_progress:
        double error, squares, penalty
        ptrdiff_t done
        int diverged
        uint64_t random

    bint fastbp_flag(const int*)
    void fastbp_set_flag(int*, int)
