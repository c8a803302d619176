/* Activations and their slopes over flat arrays, one line each; a switch outside the loop, whole vectors inside.
 *
 * The slope of sigmoid, tanh, relu, leaky_relu, elu, softsign and exp is a function of the output a; those of softplus,
 * silu, gelu, gaussian and sin need the net input r. Softmax, which works on rows, is in softmax.pxi.
 */
#ifndef FASTBP_ACTIVATION_H
#define FASTBP_ACTIVATION_H

#include <float.h>

#include "kernels.h"
#include "vecmath.h"

#define LEAK ((real)0.01)

/* r / (1 + |r|), with the limits -1 and 1 at the infinities. */
FORCE_INLINE vec v_softsign(vec r)
{
    const vec size = v_min(v_set1(PICK(DBL_MAX, FLT_MAX)), v_abs(r));
    return v_copysign(v_div(size, v_add(size, v_set1(1))), r);
}

/* Each activation: a = g(r), and its slope g'(r) from r and a. Identity is not among them, whose slope is 1; that of the
 * threshold is 1 by convention, the perceptron rule. */
#define FOR_EACH_ACTIVATION(DO) \
    /* NaN is neither >= 0 nor < 0, and stays NaN. */ \
    DO(FASTBP_THRESHOLD, v_select(v_le(zero, r), one, v_select(v_lt(r, zero), zero, r)), one) \
    DO(FASTBP_SIGMOID, v_sigmoid(r), v_mul(a, v_sub(one, a))) \
    DO(FASTBP_TANH, v_tanh(r), v_fnma(a, a, one)) \
    DO(FASTBP_RELU, v_max(zero, r), v_select(v_lt(zero, a), one, zero)) \
    DO(FASTBP_LEAKY_RELU, v_max(v_mul(v_set1(LEAK), r), r), v_select(v_lt(zero, a), one, v_set1(LEAK))) \
    DO(FASTBP_ELU, v_select(v_lt(zero, r), r, v_expm1(r)), v_select(v_lt(zero, a), one, v_add(a, one))) \
    DO(FASTBP_SOFTPLUS, v_softplus(r), v_sigmoid(r)) \
    DO(FASTBP_SILU, v_silu(r), v_silu_slope(r)) \
    DO(FASTBP_GELU, v_gelu(r), v_gelu_slope(r)) \
    DO(FASTBP_SOFTSIGN, v_softsign(r), v_mul(v_sub(one, v_abs(a)), v_sub(one, v_abs(a)))) \
    DO(FASTBP_GAUSSIAN, v_gaussian(r), v_mul(v_mul(v_set1(-2), a), r)) \
    DO(FASTBP_SIN, v_sin(r), v_cos(r)) \
    DO(FASTBP_EXP, v_exp(r), a)

/* a = g(r) for n elements, n a multiple of VLEN; r and a may be one array. */
NO_INLINE void activate_elements(int activation, const real *net_input, real *output, ptrdiff_t n)
{
    const vec zero = v_zero(), one = v_set1(1);
    switch (activation) {
#define OUTPUTS(CODE, OUTPUT, SLOPE) \
        case CODE: \
            for (ptrdiff_t i = 0; i < n; i += VLEN) { \
                const vec r = v_load(net_input + i); \
                v_store(output + i, OUTPUT); \
            } \
            return;
        FOR_EACH_ACTIVATION(OUTPUTS)
#undef OUTPUTS
    }
    if (net_input != output) memcpy(output, net_input, n * sizeof(real));
}

/* d = e g'(r) in place for n elements, n a multiple of VLEN. */
NO_INLINE void multiply_by_slope(int activation, const real *net_input, const real *output, real *delta, ptrdiff_t n)
{
    const vec zero = v_zero(), one = v_set1(1);
    switch (activation) {
#define SLOPES(CODE, OUTPUT, SLOPE) \
        case CODE: \
            for (ptrdiff_t i = 0; i < n; i += VLEN) { \
                const vec r = v_load(net_input + i), a = v_load(output + i); \
                (void)r; (void)a; \
                v_store(delta + i, v_mul(v_load(delta + i), SLOPE)); \
            } \
            return;
        FOR_EACH_ACTIVATION(SLOPES)
#undef SLOPES
    }
}

/* a = g(r) and the slope of one vector: for a single row, where a switch for each vector costs less than the trip of r
 * through memory. */
NO_INLINE vec v_activate_any(int activation, vec r, vec *slope)
{
    const vec zero = v_zero(), one = v_set1(1);
    vec a;
    switch (activation) {
#define ONE_VECTOR(CODE, OUTPUT, SLOPE) case CODE: a = OUTPUT; *slope = SLOPE; return a;
        FOR_EACH_ACTIVATION(ONE_VECTOR)
#undef ONE_VECTOR
    }
    *slope = one;
    return r;
}

/* The same with the usual activations in line; all of them, in each caller, would be a tenth of the kernels' size.
 * No switch: its jump through a table costs a network of three neurons 5 %. */
FORCE_INLINE vec v_activate(int activation, vec r, vec *slope)
{
    const vec zero = v_zero(), one = v_set1(1);
    vec a, any_slope;
    if (activation == FASTBP_SIGMOID) {
        a = v_sigmoid(r);
        *slope = v_mul(a, v_sub(one, a));
    } else if (activation == FASTBP_TANH) {
        a = v_tanh(r);
        *slope = v_fnma(a, a, one);
    } else if (activation == FASTBP_RELU) {
        a = v_max(zero, r);
        *slope = v_select(v_lt(zero, a), one, zero);
    } else if (activation == FASTBP_IDENTITY) {
        a = r;
        *slope = one;
    } else {
        a = v_activate_any(activation, r, &any_slope);
        *slope = any_slope; /* which has no address, and stays in a register */
    }
    return a;
}
#endif
