/* A loop in C that trains a network and asks it for outputs; c_loop.py compiles and calls it. */
#include <time.h>

#include "fastbp.h"

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* On-line learning: `epochs` times over m samples. Returns a status of fastbp.h, and in *ns the time of a step. */
int train(fastbp_handle *net, const double *x, const double *t, ptrdiff_t m, int epochs, double learning_rate, double *ns)
{
    double error, start;
    int status = fastbp_begin(net);
    if (status != FASTBP_OK) {
        return status;
    }
    start = now();
    for (int epoch = 0; epoch < epochs && status == FASTBP_OK; epoch++) {
        for (ptrdiff_t i = 0; i < m && status == FASTBP_OK; i++) {
            status = fastbp_train_step_float64(net, x + i * net->n_inputs, t + i * net->n_outputs, 1, learning_rate,
                                               &error);
        }
    }
    *ns = 1e9 * (now() - start) / ((double)m * epochs);
    fastbp_end(net);
    return status;
}

/* The outputs for each sample by itself, `rounds` times. */
int predict(fastbp_handle *net, const double *x, double *y, ptrdiff_t m, int rounds, double *ns)
{
    double start = now();
    int status = FASTBP_OK;
    for (int round = 0; round < rounds; round++) {
        for (ptrdiff_t i = 0; i < m && status == FASTBP_OK; i++) {
            status = fastbp_predict_float64(net, x + i * net->n_inputs, 1, y + i * net->n_outputs);
        }
    }
    *ns = 1e9 * (now() - start) / ((double)m * rounds);
    return status;
}
