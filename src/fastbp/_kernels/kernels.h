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

#define FASTBP_KERNELS_ABI 3
#define FASTBP_CAPSULE "fastbp._kernels"

/* The core works through more rows than this in blocks, so that memory does not grow with the batch. A network of few
 * parameters takes the small block: its arrays then stay in the first cache, and there is nothing to pack for a block. */
#define FASTBP_BLOCK_ROWS 512
#define FASTBP_SMALL_BLOCK 64
#define FASTBP_SMALL_PARAMS (16 * 1024)
/* A packed block of B: its rows, and the bytes of each. A smaller B is read where it stands. */
#define FASTBP_PACK_DEPTH 256
#define FASTBP_PACK_BYTES 2048
#define FASTBP_SMALL_BYTES (256 * 1024)
/* That block, a strip of A, and what vectors write beyond its end. */
#define FASTBP_PACKED_BYTES (FASTBP_PACK_DEPTH * FASTBP_PACK_BYTES + 12 * (8 * FASTBP_PACK_DEPTH + 64) + 4096)

enum fastbp_activation {
    FASTBP_IDENTITY, FASTBP_THRESHOLD, FASTBP_SIGMOID, FASTBP_TANH, FASTBP_RELU, FASTBP_LEAKY_RELU, FASTBP_ELU,
    FASTBP_SOFTPLUS, FASTBP_SILU, FASTBP_GELU, FASTBP_SOFTSIGN, FASTBP_GAUSSIAN, FASTBP_SIN, FASTBP_EXP, FASTBP_SOFTMAX
};

enum fastbp_loss {
    FASTBP_SQUARED_ERROR, FASTBP_ABSOLUTE_ERROR, FASTBP_HUBER, FASTBP_LOG_COSH, FASTBP_QUANTILE, FASTBP_POISSON,
    FASTBP_BINARY_CROSS_ENTROPY, FASTBP_CROSS_ENTROPY, FASTBP_CUSTOM
};

enum fastbp_method {
    FASTBP_SGD, FASTBP_MOMENTUM, FASTBP_NESTEROV, FASTBP_ADAM, FASTBP_NADAM, FASTBP_RMSPROP, FASTBP_ADAGRAD, FASTBP_RPROP
};

typedef struct {
    ptrdiff_t n_in, n_out;
    ptrdiff_t stride;            /* elements between rows of outputs and deltas, and of W unless n_out is 1 */
    ptrdiff_t weights, bias;     /* where W and b start in the flat arrays */
    int activation;              /* enum fastbp_activation */
    int mask_padding;            /* hidden, and the outputs' last vector is not full: zeros are to follow them */
    /* Workspace, block_rows rows at most. */
    void *net_input, *output;    /* (rows, stride); one array, unless the slope is taken at the net input */
    void *slope;                 /* (stride): g'(r) of a single row */
    void *delta;                 /* (rows, stride): first the error signal e = dE/da, then d = dE/dr */
    double dropout;              /* share of its outputs that training drops; where it is not 0: */
    void *mask, *kept;           /* (rows, stride): 0 or 1 / (1 - dropout), and the outputs times that */
} fastbp_layer;

typedef struct {
    int n_layers;
    ptrdiff_t n_params;          /* length of the flat arrays, padding included */
    ptrdiff_t block_rows;        /* FASTBP_BLOCK_ROWS or FASTBP_SMALL_BLOCK */
    fastbp_layer *layers;
    int loss;                    /* enum fastbp_loss */
    double loss_parameter;       /* Huber's delta, or the quantile */
    int fused;                   /* the loss sends back the last layer's deltas d = dE/dr, not its e = dE/da */
    void *params, *gradient;
    void *inputs;                /* (rows, n_in): samples gathered in shuffled order */
    void *input_error;           /* (rows, n_in padded): dE/dx */
    uint64_t random;             /* state of the generator of dropout's masks */
    void *packed;                /* a block of a large matrix in the order in which it is read */
} fastbp_network;

typedef struct {
    const void *x, *t;           /* n_in inputs, n_out targets a row, contiguous within the row */
    ptrdiff_t x_stride, t_stride;
    const ptrdiff_t *labels;     /* one a sample in place of t: the output that is to be 1; else null */
    const ptrdiff_t *order;      /* sample numbers in the order of training; null: as they stand */
    const void *weights;         /* one a sample; null: all are 1 */
} fastbp_samples;

typedef struct {
    int method;                  /* enum fastbp_method */
    double learning_rate;
    double beta_1, beta_2;       /* decay of the mean of gradients (the momentum), and of their squares; Rprop: factors */
    double epsilon;              /* Rprop: the least step */
    double largest;              /* Rprop: the largest step */
    int plain_epsilon;           /* Adam's epsilon is added to sqrt(v), not to sqrt(v / (1 - beta_2^t)) */
    ptrdiff_t steps;             /* updates so far */
    void *mean, *square;         /* those means, of the flat arrays' layout; null where the method has none */
    const double *rates;         /* one factor of the learning rate for each layer, 0 freezes it; null: all are 1 */
    /* Of the weights, not of the biases; 0: none. */
    double l1, l2;               /* the loss has l1 sum |w| + l2 / 2 sum w^2 */
    double decay;                /* w <- w - h decay w, apart from the gradient */
    double clip;                 /* largest norm of the gradient */
    double max_norm;             /* largest norm of the weights into a neuron */
    /* As scikit-learn has it: the divisor of a mean is the weight of the batch, and the penalty is divided by it. */
    int batch_means;
} fastbp_optimizer;

typedef struct {
    double error;                /* E: each sample's before its update, not yet divided for a mean */
    double squares;              /* sum of (y - t)**2, for the RMS */
    double penalty;              /* that of l1 and l2 at each batch, times the samples of the batch */
    ptrdiff_t done;              /* samples trained; where it falls short, the batch that follows diverged */
} fastbp_progress;

typedef struct {
    int abi, vector_bytes, real_bytes;
    int (*all_finite)(const void *x, ptrdiff_t n);
    /* Outputs of m rows; scratch holds two arrays of min(m, block_rows) rows of the widest stride. */
    void (*predict)(const fastbp_network *, const void *x, ptrdiff_t x_stride, ptrdiff_t m, void *out, void *scratch);
    /* The steps of backpropagation on one block of rows, in the network's workspace; l counts layers from 0. */
    void (*forward)(fastbp_network *, const void *x, ptrdiff_t x_stride, ptrdiff_t m);
    void (*output_error)(const fastbp_network *, const fastbp_samples *, ptrdiff_t start, ptrdiff_t m, double scale,
                         fastbp_progress *);
    void (*apply_slope)(const fastbp_network *, int l, ptrdiff_t m);
    void (*weight_gradient)(const fastbp_network *, int l, const void *x, ptrdiff_t x_stride, ptrdiff_t m, int accumulate);
    void (*error_signal)(const fastbp_network *, int l, ptrdiff_t m);
    /* The last three for every layer: from the output's error signal to the gradient of all parameters. */
    void (*backward)(const fastbp_network *, const void *x, ptrdiff_t x_stride, ptrdiff_t m, int accumulate);
    /* From the gradient to the parameters; 0, and they are what they were, where a finite one could be lost. */
    int (*update)(const fastbp_network *, fastbp_optimizer *, double scale, double *penalty);
    /* Forward, backward and update, batch after batch, over samples start .. stop - 1 of the order. */
    void (*train)(fastbp_network *, const fastbp_samples *, ptrdiff_t start, ptrdiff_t stop, ptrdiff_t batch,
                  int mean, fastbp_optimizer *, fastbp_progress *);
} fastbp_kernels;
#endif
