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

/* a = g(r) for n elements, n a multiple of VLEN; r and a may be one array. */
FORCE_INLINE void activate_elements(int activation, const real *net_input, real *output, ptrdiff_t n)
{
    const vec zero = v_zero(), one = v_set1(1);
#define G(CODE, EXPRESSION) \
    case CODE: \
        for (ptrdiff_t i = 0; i < n; i += VLEN) { \
            const vec r = v_load(net_input + i); \
            v_store(output + i, EXPRESSION); \
        } \
        break
    switch (activation) {
        case FASTBP_IDENTITY: if (net_input != output) memcpy(output, net_input, n * sizeof(real)); break;
        /* NaN is neither >= 0 nor < 0, and stays NaN. */
        G(FASTBP_THRESHOLD, v_select(v_le(zero, r), one, v_select(v_lt(r, zero), zero, r)));
        G(FASTBP_SIGMOID, v_sigmoid(r));
        G(FASTBP_TANH, v_tanh(r));
        G(FASTBP_RELU, v_max(zero, r));
        G(FASTBP_LEAKY_RELU, v_max(v_mul(v_set1(LEAK), r), r));
        G(FASTBP_ELU, v_select(v_lt(zero, r), r, v_expm1(r)));
        G(FASTBP_SOFTPLUS, v_softplus(r));
        G(FASTBP_SILU, v_silu(r));
        G(FASTBP_GELU, v_gelu(r));
        G(FASTBP_SOFTSIGN, v_softsign(r));
        G(FASTBP_GAUSSIAN, v_gaussian(r));
        G(FASTBP_SIN, v_sin(r));
        G(FASTBP_EXP, v_exp(r));
    }
#undef G
}

/* d = e * g'(r) in place; identity and threshold have slope 1 (threshold by convention: the perceptron rule). */
FORCE_INLINE void multiply_by_slope(int activation, const real *net_input, const real *output, real *delta, ptrdiff_t n)
{
    const vec zero = v_zero(), one = v_set1(1);
#define SLOPE(CODE, INPUT, EXPRESSION) \
    case CODE: \
        for (ptrdiff_t i = 0; i < n; i += VLEN) { \
            INPUT; \
            v_store(delta + i, v_mul(v_load(delta + i), EXPRESSION)); \
        } \
        break
#define AT_A const vec a = v_load(output + i)
#define AT_R const vec r = v_load(net_input + i)
    switch (activation) {
        SLOPE(FASTBP_SIGMOID, AT_A, v_mul(a, v_sub(one, a)));
        SLOPE(FASTBP_TANH, AT_A, v_fnma(a, a, one));
        SLOPE(FASTBP_RELU, AT_A, v_select(v_lt(zero, a), one, zero));
        SLOPE(FASTBP_LEAKY_RELU, AT_A, v_select(v_lt(zero, a), one, v_set1(LEAK)));
        SLOPE(FASTBP_ELU, AT_A, v_select(v_lt(zero, a), one, v_add(a, one)));
        SLOPE(FASTBP_SOFTPLUS, AT_R, v_sigmoid(r));
        SLOPE(FASTBP_SILU, AT_R, v_silu_slope(r));
        SLOPE(FASTBP_GELU, AT_R, v_gelu_slope(r));
        SLOPE(FASTBP_SOFTSIGN, const vec q = v_sub(one, v_abs(v_load(output + i))), v_mul(q, q));
        SLOPE(FASTBP_GAUSSIAN, AT_R, v_mul(v_mul(v_set1(-2), v_load(output + i)), r));
        SLOPE(FASTBP_SIN, AT_R, v_cos(r));
        SLOPE(FASTBP_EXP, AT_A, a);
    }
#undef SLOPE
#undef AT_A
#undef AT_R
}
#endif
