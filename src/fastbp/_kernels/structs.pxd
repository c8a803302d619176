# kernels.h, for Cython.
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint64_t

cdef extern from "kernels.h" nogil:
    int FASTBP_KERNELS_ABI
    const char* FASTBP_CAPSULE
    int FASTBP_BLOCK_ROWS, FASTBP_SMALL_BLOCK, FASTBP_SMALL_PARAMS, FASTBP_LANES_LEAST, FASTBP_SUMMED_ROWS
    # Those that more than one file names; loss.pxi and update.pxi declare what they alone do.
    int FASTBP_IDENTITY, FASTBP_SOFTMAX
    int FASTBP_SQUARED_ERROR, FASTBP_CROSS_ENTROPY, FASTBP_CUSTOM
    int FASTBP_SGD, FASTBP_MOMENTUM, FASTBP_NESTEROV, FASTBP_RPROP, FASTBP_METHODS

    ctypedef struct fastbp_layer:
        ptrdiff_t n_in, n_out, stride, weights, bias
        int activation, mask_padding

    ctypedef struct fastbp_part:
        ptrdiff_t row, rows, column, columns
    fastbp_part fastbp_whole(const fastbp_layer*)
    ctypedef enum fastbp_into:
        FASTBP_GRADIENT, FASTBP_SUM, FASTBP_DESCENT

    ctypedef struct fastbp_model:
        int n_layers
        ptrdiff_t n_params, block_rows, batch_rows, widest
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

    ctypedef struct fastbp_optimizer:
        int method
        double learning_rate
        double own[4]
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

    ctypedef void (*fastbp_task)(void* job, int piece, int member) noexcept nogil

    ctypedef struct fastbp_crew:
        ptrdiff_t least
        void (*gradient)(fastbp_crew*, ptrdiff_t start, ptrdiff_t m, double scale, fastbp_progress*) noexcept nogil
        const void* (*deltas)(fastbp_crew*, ptrdiff_t start, ptrdiff_t m, double scale,
                              fastbp_progress*) noexcept nogil
        void (*from_deltas)(fastbp_crew*, fastbp_into) noexcept nogil
        void (*run)(fastbp_crew*, int pieces, fastbp_task task, void* job) noexcept nogil

    int FASTBP_IN_TRAINING, FASTBP_HAS_DIVERGED, FASTBP_HAS_LEARNT, FASTBP_BUNDLE

    ctypedef struct fastbp_population:
        const fastbp_model* model
        ptrdiff_t n, row, m
        void* params
        void* mean
        void* square
        void* gradient
        const void* x
        const void* weights
        const ptrdiff_t* labels
        ptrdiff_t row_numbers, x_network, labels_network, weights_network
        int mean_error
        void* out
        const uint64_t* streams
        const double* rates
        const double* l1
        const double* l2
        const double* total_weights
        const double* runaway
        int divided
        int* stopped
        double* error
        double* rms
        ptrdiff_t history, batch, epoch, epochs
        fastbp_optimizer optimizer
        double desired
        bint (*is_interrupted)(void*) noexcept nogil
        void* interruption
        ptrdiff_t patience

    bint fastbp_flag(const int*)
    void fastbp_set_flag(int*, int)
    void fastbp_begin_change(unsigned*)
    void fastbp_end_change(unsigned*)
    unsigned fastbp_count_before(unsigned*)
    unsigned fastbp_count_after(unsigned*)
