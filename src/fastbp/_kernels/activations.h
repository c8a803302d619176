/* The activations: one line each, from which come their numbers, their names and the loops over them (activation.h).
 * What Python has to know of them besides is in fastbp/activations.py; docs/extending.md says how to add one.
 *
 *     DO(number, name, where its slope is taken, a = g(r), g'(r))
 *
 * The slope is a function of the output a (FASTBP_AT_OUTPUT), or it needs the net input r, which then outlives a
 * (FASTBP_AT_NET_INPUT). That of the threshold is 1 by convention, the perceptron rule.
 *
 * Two activations have no line: identity, which needs no loop, and softmax, which works on whole rows (softmax.pxi).
 */
#ifndef FASTBP_ACTIVATIONS_H
#define FASTBP_ACTIVATIONS_H

enum { FASTBP_AT_OUTPUT, FASTBP_AT_NET_INPUT };

/* Those that most networks use, which single rows have in line. */
#define FOR_EACH_USUAL_ACTIVATION(DO) \
    DO(FASTBP_SIGMOID, "sigmoid", FASTBP_AT_OUTPUT, v_sigmoid(r), v_mul(a, v_sub(one, a))) \
    DO(FASTBP_TANH, "tanh", FASTBP_AT_OUTPUT, v_tanh(r), v_fnma(a, a, one)) \
    DO(FASTBP_RELU, "relu", FASTBP_AT_OUTPUT, v_max(zero, r), v_select(v_lt(zero, a), one, zero))

#define FOR_EACH_RARE_ACTIVATION(DO) \
    /* NaN is neither >= 0 nor < 0, and stays NaN. */ \
    DO(FASTBP_THRESHOLD, "threshold", FASTBP_AT_OUTPUT, \
       v_select(v_le(zero, r), one, v_select(v_lt(r, zero), zero, r)), one) \
    DO(FASTBP_LEAKY_RELU, "leaky_relu", FASTBP_AT_OUTPUT, v_max(v_mul(v_set1(LEAK), r), r), \
       v_select(v_lt(zero, a), one, v_set1(LEAK))) \
    DO(FASTBP_ELU, "elu", FASTBP_AT_OUTPUT, v_select(v_lt(zero, r), r, v_expm1(r)), \
       v_select(v_lt(zero, a), one, v_add(a, one))) \
    DO(FASTBP_SOFTPLUS, "softplus", FASTBP_AT_NET_INPUT, v_softplus(r), v_sigmoid(r)) \
    DO(FASTBP_SILU, "silu", FASTBP_AT_NET_INPUT, v_silu(r), v_silu_slope(r)) \
    DO(FASTBP_GELU, "gelu", FASTBP_AT_NET_INPUT, v_gelu(r), v_gelu_slope(r)) \
    DO(FASTBP_SOFTSIGN, "softsign", FASTBP_AT_OUTPUT, v_softsign(r), \
       v_mul(v_sub(one, v_abs(a)), v_sub(one, v_abs(a)))) \
    DO(FASTBP_GAUSSIAN, "gaussian", FASTBP_AT_NET_INPUT, v_gaussian(r), v_mul(v_mul(v_set1(-2), a), r)) \
    DO(FASTBP_SIN, "sin", FASTBP_AT_NET_INPUT, v_sin(r), v_cos(r)) \
    DO(FASTBP_EXP, "exp", FASTBP_AT_OUTPUT, v_exp(r), a)

#define FOR_EACH_ACTIVATION(DO) FOR_EACH_USUAL_ACTIVATION(DO) FOR_EACH_RARE_ACTIVATION(DO)

enum fastbp_activation {
    FASTBP_IDENTITY,
#define NUMBER(CODE, NAME, AT, OUTPUT, SLOPE) CODE,
    FOR_EACH_ACTIVATION(NUMBER)
#undef NUMBER
    FASTBP_SOFTMAX
};
#endif
