/* What a kernel module and the core agree on. No Python in it.
 *
 * `real` is float or double, as the network's dtype says. Parameters, gradient and optimizer state are flat arrays of
 * one padded layout: layer after layer W_l and then b_l. A row of W is padded with zeros to whole vectors (`stride`),
 * so that no loop along the outputs needs a tail. A layer with a single output keeps its W as one padded row instead:
 * it is a dot product forwards and a scaled row backwards.
 *
 * Row i of a layer's outputs and deltas starts at i * stride; a single output has stride 1.
 */
#ifndef FASTBP_KERNELS_H
#define FASTBP_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "activations.h"

#define FASTBP_KERNELS_ABI 9
#define FASTBP_CAPSULE "fastbp._kernels"

/* The core works through more rows than this in blocks, so that memory does not grow with the batch. A network of few
 * parameters takes the small block: its arrays then stay in the first cache, and there is nothing to pack for a block. */
#define FASTBP_BLOCK_ROWS 512
#define FASTBP_SMALL_BLOCK 64
#define FASTBP_SMALL_PARAMS (16 * 1024)
/* The fewest rows of a block whose samples stand along the lanes (lanes.pxi): whole panels in either dtype. */
#define FASTBP_LANES_LEAST 128
/* The losses of so many rows are summed before they are added to those before them, so that threads that share a block
 * come to the same sum. */
#define FASTBP_SUMMED_ROWS 32

/* The losses: number and name. Their formulas are in loss.pxi. */
#define FOR_EACH_LOSS(DO) \
    DO(FASTBP_SQUARED_ERROR, "squared_error") \
    DO(FASTBP_ABSOLUTE_ERROR, "absolute_error") \
    DO(FASTBP_HUBER, "huber") \
    DO(FASTBP_LOG_COSH, "log_cosh") \
    DO(FASTBP_QUANTILE, "quantile") \
    DO(FASTBP_POISSON, "poisson") \
    DO(FASTBP_BINARY_CROSS_ENTROPY, "binary_cross_entropy") \
    DO(FASTBP_CROSS_ENTROPY, "cross_entropy")
enum fastbp_loss {
#define NUMBER(CODE, NAME) CODE,
    FOR_EACH_LOSS(NUMBER)
#undef NUMBER
    FASTBP_CUSTOM /* a function of the user's, which the core calls */
};

/* The optimizers' methods: number, name, the names of its own numbers in their order, and whether it has an array `mean`
 * and an array `square` of the parameters' layout. Their loops are in update.pxi. */
#define FOR_EACH_METHOD(DO) \
    DO(FASTBP_SGD, "sgd", "", 0, 0) \
    DO(FASTBP_MOMENTUM, "momentum", "momentum", 1, 0) \
    DO(FASTBP_NESTEROV, "nesterov", "momentum", 1, 0) \
    DO(FASTBP_ADAM, "adam", "beta_1 beta_2 epsilon", 1, 1) \
    DO(FASTBP_NADAM, "nadam", "beta_1 beta_2 epsilon", 1, 1) \
    DO(FASTBP_RMSPROP, "rmsprop", "rho epsilon", 0, 1) \
    DO(FASTBP_ADAGRAD, "adagrad", "epsilon", 0, 1) \
    DO(FASTBP_RPROP, "rprop", "grow shrink least largest", 1, 1)
enum fastbp_method {
#define NUMBER(CODE, NAME, OWN, HAS_MEAN, HAS_SQUARE) CODE,
    FOR_EACH_METHOD(NUMBER)
#undef NUMBER
    FASTBP_METHODS
};
#define FASTBP_OWN_NUMBERS 4 /* of a method, at most */

/* ---------------------------------------------------------------- the model: constant while it is read */

typedef struct {
    ptrdiff_t n_in, n_out;
    ptrdiff_t stride;            /* elements between rows of outputs and deltas, and of W unless n_out is 1 */
    ptrdiff_t weights, bias;     /* where W and b start in the flat arrays */
    int activation;              /* enum fastbp_activation */
    int mask_padding;            /* hidden, and the outputs' last vector is not full: zeros are to follow them */
} fastbp_layer;

/* Rows and columns of a layer's W, of which a thread computes the gradient. */
typedef struct {
    ptrdiff_t row, rows, column, columns;
} fastbp_part;

/* Where dE/dW and dE/db go: in place of the gradient in the workspace, added to it, or, with d times -h, added to the
 * parameters themselves. */
typedef enum { FASTBP_GRADIENT, FASTBP_SUM, FASTBP_DESCENT } fastbp_into;

static inline fastbp_part fastbp_whole(const fastbp_layer *layer)
{
    return (fastbp_part){0, layer->n_in, 0, layer->n_out};
}

typedef struct {
    int n_layers;
    ptrdiff_t n_params;          /* length of the flat arrays, padding included */
    ptrdiff_t block_rows;        /* FASTBP_BLOCK_ROWS or FASTBP_SMALL_BLOCK */
    ptrdiff_t batch_rows;        /* those of a batch on its way to a gradient; at least as many */
    ptrdiff_t widest;            /* the largest stride */
    fastbp_layer *layers;
    int loss;                    /* enum fastbp_loss */
    double loss_parameter;       /* Huber's delta, or the quantile */
    int fused;                   /* the loss sends back the last layer's deltas d = dE/dr, not its e = dE/da */
    void *params;                /* changed by updates only, while nobody else reads them (lock.pxi) */
} fastbp_model;

/* ---------------------------------------------------------------- what one caller needs to run a model */

/* Where a layer's rows stand in a workspace (fastbp/_core.pxd). Indices of `outputs`: */
typedef struct {
    ptrdiff_t output;            /* (rows, stride); in `deltas` too: first the error signal e = dE/da, then d = dE/dr */
    ptrdiff_t net_input;         /* (rows, stride); that of the outputs, unless the slope is taken at the net input */
    ptrdiff_t slope;             /* (stride): g'(r) of a single row */
    ptrdiff_t kept, mask;        /* (rows, stride): the outputs that dropout leaves, and 0 or 1 / (1 - dropout) */
    double dropout;              /* share of the outputs that training drops; where it is 0, kept is output */
} fastbp_place;

/* Rows are contiguous: n_in inputs, n_out targets. */
typedef struct {
    const void *x, *t;
    const ptrdiff_t *labels;     /* one a sample in place of t: the output that is to be 1; else null */
    const ptrdiff_t *order;      /* sample numbers in the order of training; null: as they stand */
    const void *weights;         /* one a sample; null: all are 1 */
} fastbp_samples;

typedef struct {
    int method;                  /* enum fastbp_method */
    double learning_rate;
    double own[FASTBP_OWN_NUMBERS]; /* the method's, which update.pxi reads as a struct of the method */
    ptrdiff_t steps;             /* updates so far */
    void *mean, *square;         /* state of the flat arrays' layout; null where the method has none */
    const double *rates;         /* one factor of the learning rate for each layer, 0 freezes it; null: all are 1 */
    /* Of the weights, not of the biases; 0: none. */
    double l1, l2;               /* the loss has l1 sum |w| + l2 / 2 sum w^2 */
    double decay;                /* w <- w - h decay w, apart from the gradient */
    double clip;                 /* largest norm of the gradient */
    double max_norm;             /* largest norm of the weights into a neuron */
    /* As scikit-learn has it: the divisor of a mean is the weight of the batch, and the penalty is divided by it; and
     * Adam's epsilon is added to sqrt(v), not to sqrt(v / (1 - beta_2^t)). */
    int batch_means, plain_epsilon;
} fastbp_optimizer;

typedef struct {
    double error;                /* E: each sample's before its update, not yet divided for a mean */
    double squares;              /* sum of (y - t)**2, for the RMS */
    double penalty;              /* that of l1 and l2 at each batch, times the samples of the batch */
    ptrdiff_t done;              /* samples trained */
    int diverged;                /* the batch that follows them would have left the finite numbers */
    uint64_t random;             /* state of the generator of dropout's masks */
} fastbp_progress;

/* The threads that share one training (the core's pieces.pxi); null where a thread works alone. */
typedef struct fastbp_crew fastbp_crew;
typedef void (*fastbp_task)(void *job, int piece, int member);
struct fastbp_crew {
    ptrdiff_t least;             /* batches of at least so many rows are shared */
    /* The gradient of m rows into the workspace; E and the sum of squares are added to the progress. */
    void (*gradient)(fastbp_crew *, ptrdiff_t start, ptrdiff_t m, double scale, fastbp_progress *);
    /* The two halves of that for a single block of rows, or null: the deltas, with a pointer to the inputs, and what
     * becomes of them. */
    const void *(*deltas)(fastbp_crew *, ptrdiff_t start, ptrdiff_t m, double scale, fastbp_progress *);
    void (*from_deltas)(fastbp_crew *, fastbp_into);
    /* task(job, piece, member) for each piece, by any member and in any order. */
    void (*run)(fastbp_crew *, int pieces, fastbp_task task, void *job);
};

/* Networks of a population in lanes (population.pxi), and what is to be done with them. Parameters and arrays of their
 * layout are (n_params, row): in the order of Network.params, a column for each network. */
typedef struct {
    const fastbp_model *model;   /* the architecture; its parameters are not used */
    ptrdiff_t n, row;            /* networks; numbers from one parameter's to the next's, whole vectors */
    void *params, *mean, *square, *gradient; /* the latter is where gradients go, or null */
    /* The samples, of which there are m for each network. */
    ptrdiff_t m;
    const void *x;               /* (m, row_numbers): inputs; but for predictions then 1, targets and padding of 128 bits */
    ptrdiff_t row_numbers;
    const void *weights;         /* null where all are 1 */
    const ptrdiff_t *labels;     /* in place of targets, or null */
    ptrdiff_t x_network, labels_network, weights_network; /* from one network's to the next's; 0: the same for all */
    int mean_error;              /* the reduction is "mean" */
    void *out;                   /* outputs (n, m, n_out) of a prediction */
    /* One a network. */
    const uint64_t *streams;     /* of random numbers for orders (random.h); null: the samples as they stand */
    const double *rates, *l1, *l2, *total_weights;
    const double *runaway;       /* the RMS error above which it has diverged */
    int *stopped;                /* FASTBP_IN_TRAINING, or why it has stopped; such a network is left as it is */
    double *error, *rms;         /* (n, history): where the errors of the epochs go */
    ptrdiff_t history;
    /* Of a training. */
    ptrdiff_t batch, epoch, epochs;  /* samples of an update; the first epoch, and how many there are */
    int divided;                 /* an update of m samples takes the rate divided by m */
    fastbp_optimizer optimizer;  /* the numbers of all but rates and penalties; `steps` are those before the first epoch */
    double desired;              /* the RMS error at which a network has learnt enough */
    /* Asked after so many samples of a group whether all are to stop at once, in the middle of an epoch; or null. */
    int (*is_interrupted)(void *interruption);
    void *interruption;
    ptrdiff_t patience;
} fastbp_population;
enum { FASTBP_IN_TRAINING, FASTBP_HAS_DIVERGED, FASTBP_HAS_LEARNT };
#define FASTBP_BUNDLE 4 /* groups of as many networks as a vector has lanes, that are worked on together */

/* A flag that one thread raises under the core's lock and another one reads between two updates, without it. */
#if defined(_MSC_VER) && !defined(__clang__)
static inline int fastbp_flag(const int *flag) { return *(volatile const int *)flag; }
static inline void fastbp_set_flag(int *flag, int value) { *(volatile int *)flag = value; }
#include <intrin.h>
static inline unsigned fastbp_add(unsigned *count, unsigned n)
{
    return (unsigned)_InterlockedExchangeAdd((volatile long *)count, (long)n);
}
static inline void fastbp_begin_change(unsigned *count) { fastbp_add(count, 1); }
static inline void fastbp_end_change(unsigned *count) { fastbp_add(count, 1); }
static inline unsigned fastbp_count_before(unsigned *count) { return fastbp_add(count, 0); }
static inline unsigned fastbp_count_after(unsigned *count) { return fastbp_add(count, 0); }
#else
static inline int fastbp_flag(const int *flag) { return __atomic_load_n(flag, __ATOMIC_RELAXED); }
static inline void fastbp_set_flag(int *flag, int value) { __atomic_store_n(flag, value, __ATOMIC_RELAXED); }
/* A count that is odd while something changes, and its readers' looks at it before and after they read that. */
static inline void fastbp_begin_change(unsigned *count)
{
    __atomic_store_n(count, *count + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}
static inline void fastbp_end_change(unsigned *count) { __atomic_store_n(count, *count + 1, __ATOMIC_RELEASE); }
static inline unsigned fastbp_count_before(unsigned *count) { return __atomic_load_n(count, __ATOMIC_ACQUIRE); }
static inline unsigned fastbp_count_after(unsigned *count)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(count, __ATOMIC_RELAXED);
}
#endif
#endif
