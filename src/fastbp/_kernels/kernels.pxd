# The table of functions that a kernel module hands over, and the structs that they work on.
#
# `work` is of the class of _core.pxd for the module's dtype. Rows are counted from `start` among those of the samples;
# m is at most block_rows, for functions of a batch batch_rows, and the rows that the workspace was made for. l counts
# layers from 0.
from libc.stddef cimport ptrdiff_t

from fastbp._core cimport Workspace
from fastbp._kernels.structs cimport *

cdef enum fastbp_rows:      # what copy_rows copies
    FASTBP_NET_INPUTS, FASTBP_OUTPUTS, FASTBP_DELTAS

ctypedef struct fastbp_kernels:
    int abi, vector_bytes, real_bytes
    ptrdiff_t block_columns     # of a large matrix, that a product packs at a time
    bint (*all_finite)(const void* x, ptrdiff_t n) noexcept nogil
    bint (*all_within)(const void* x, ptrdiff_t n, double low, double high) noexcept nogil
    # For a model whose layers are known: its field of this name.
    ptrdiff_t (*batch_rows)(const fastbp_model*) noexcept nogil
    # Whether the samples of a long batch stand along the lanes; of a prediction, they may.
    bint (*trains_in_lanes)(const fastbp_model*) noexcept nogil
    # How many of the rows that are left of a batch the next block takes.
    ptrdiff_t (*next_block)(const fastbp_model*, ptrdiff_t left) noexcept nogil
    # How many numbers `packed` must hold for blocks of so many rows.
    ptrdiff_t (*packed_size)(const fastbp_model*, ptrdiff_t rows, bint training) noexcept nogil
    # Between the padded layout and the compact one of users: W_l row by row, then b_l.
    void (*copy_params)(const fastbp_model*, void* padded, void* compact, bint to_compact) noexcept nogil
    # Outputs of any number of rows.
    void (*predict)(const fastbp_model*, Workspace work, const void* x, ptrdiff_t m, void* out) noexcept nogil
    # Inputs of m samples from `start` of the order, as consecutive rows: in the workspace from `row` on, or where they
    # stand.
    const void* (*gather)(const fastbp_model*, Workspace work, const fastbp_samples*, ptrdiff_t start, ptrdiff_t m,
                          ptrdiff_t row) noexcept nogil
    # The steps of backpropagation on a block of rows.
    void (*forward)(const fastbp_model*, Workspace work, const void* x, ptrdiff_t start, ptrdiff_t m) noexcept nogil
    void (*output_error)(const fastbp_model*, Workspace work, const fastbp_samples*, ptrdiff_t start, ptrdiff_t m,
                         double scale, bint fused, fastbp_progress*) noexcept nogil
    void (*apply_slope)(const fastbp_model*, Workspace work, int l, ptrdiff_t m) noexcept nogil
    void (*weight_gradient)(const fastbp_model*, Workspace work, int l, const void* x, ptrdiff_t start, ptrdiff_t m,
                            fastbp_into, fastbp_part) noexcept nogil
    void (*error_signal)(const fastbp_model*, Workspace work, int l, ptrdiff_t m) noexcept nogil
    # From the output's error signal, or its delta where the loss is fused, to the deltas of all layers.
    void (*all_deltas)(const fastbp_model*, Workspace work, ptrdiff_t m, bint fused) noexcept nogil
    # For a block of a batch: forward, and from the output's error signal to the gradient of all parameters. Between the
    # two, the last layer's outputs and error signal are as `forward` leaves them, but the other layers may not be.
    void (*forward_batch)(const fastbp_model*, Workspace work, const void* x, ptrdiff_t start,
                          ptrdiff_t m) noexcept nogil
    void (*backward_batch)(const fastbp_model*, Workspace work, const void* x, ptrdiff_t start, ptrdiff_t m,
                           fastbp_into) noexcept nogil
    # All of it, block by block, for any number of samples from `start` of the order.
    void (*propagate)(const fastbp_model*, Workspace work, const fastbp_samples*, ptrdiff_t start, ptrdiff_t m,
                      double scale, bint forward_only, fastbp_progress*) noexcept nogil
    # m padded rows of a layer into compact rows from `start` on, and such rows into a layer's error signal.
    void (*copy_rows)(const fastbp_model*, Workspace work, fastbp_rows what, int l, ptrdiff_t m, void* to,
                      ptrdiff_t start) noexcept nogil
    void (*set_errors)(const fastbp_model*, Workspace work, int l, const void* errors, ptrdiff_t start,
                       ptrdiff_t m) noexcept nogil
    # From the output's error signal to dE/dx, into compact rows from `start` on.
    void (*input_errors)(const fastbp_model*, Workspace work, ptrdiff_t m, void* to, ptrdiff_t start) noexcept nogil
    void (*jacobian)(const fastbp_model*, Workspace work, const void* x, ptrdiff_t start, ptrdiff_t m,
                     void* to) noexcept nogil
    # From the deltas of m samples to rows of dy/dparams, compact and `row` numbers apart; up to vector_bytes behind
    # each row are overwritten.
    void (*param_rows)(const fastbp_model*, Workspace work, const void* x, ptrdiff_t start, ptrdiff_t m, void* to,
                       ptrdiff_t row) noexcept nogil
    # Adds a gradient, in the padded layout, to the sum of those before it.
    void (*add_gradient)(const fastbp_model*, void* total, const void* g) noexcept nogil
    # From the gradient to the parameters; returns False, and changes none, where a finite one could be lost.
    bint (*update)(const fastbp_model*, Workspace work, fastbp_optimizer*, double scale,
                   double* penalty) noexcept nogil
    # Forward, backward and update, batch after batch, over samples start .. stop - 1 of the order; ends early where
    # `waiting` is raised.
    void (*train)(const fastbp_model*, Workspace work, const fastbp_samples*, ptrdiff_t start, ptrdiff_t stop,
                  ptrdiff_t batch, bint mean, fastbp_optimizer*, const int* waiting, fastbp_crew*,
                  fastbp_progress*) noexcept nogil
    # Networks in lanes: whether those of an architecture are computed so, and trained so by an optimizer; the bytes
    # that a thread needs; and the work on a bundle of so many groups, from the network `first` on.
    bint (*suits_population)(const fastbp_model*) noexcept nogil
    bint (*trains_as_population)(const fastbp_model*, const fastbp_optimizer*, ptrdiff_t batch) noexcept nogil
    ptrdiff_t (*population_bytes)(const fastbp_population*) noexcept nogil
    void (*predict_population)(const fastbp_population*, ptrdiff_t first, ptrdiff_t groups, void* space) noexcept nogil
    void (*differentiate_population)(const fastbp_population*, ptrdiff_t first, ptrdiff_t groups,
                                     void* space) noexcept nogil
    void (*train_population)(const fastbp_population*, ptrdiff_t first, ptrdiff_t groups, void* space) noexcept nogil
