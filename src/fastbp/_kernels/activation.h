/* The activations of activations.h and their slopes, over flat arrays: a switch outside the loop, whole vectors inside. */
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
NO_INLINE void activate_elements(int activation, const real *net_input, real *output, ptrdiff_t n)
{
    const vec zero = v_zero(), one = v_set1(1);
    switch (activation) {
#define OUTPUTS(CODE, NAME, AT, OUTPUT, SLOPE) \
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
#define SLOPES(CODE, NAME, AT, OUTPUT, SLOPE) \
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
NO_INLINE vec v_activate_rare(int activation, vec r, vec *slope)
{
    const vec zero = v_zero(), one = v_set1(1);
    vec a;
    switch (activation) {
#define ONE_VECTOR(CODE, NAME, AT, OUTPUT, SLOPE) case CODE: a = OUTPUT; *slope = SLOPE; return a;
        FOR_EACH_RARE_ACTIVATION(ONE_VECTOR)
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
#define ONE_VECTOR(CODE, NAME, AT, OUTPUT, SLOPE) if (activation == CODE) { a = OUTPUT; *slope = SLOPE; } else
    FOR_EACH_USUAL_ACTIVATION(ONE_VECTOR)
#undef ONE_VECTOR
    if (activation == FASTBP_IDENTITY) {
        a = r;
        *slope = one;
    } else {
        a = v_activate_rare(activation, r, &any_slope);
        *slope = any_slope; /* which has no address, and stays in a register */
    }
    return a;
}

/* The same for a chain of waiting (vecmath.h): of t, the product of the net inputs and a factor, and of four activations only. */
FORCE_INLINE int has_power(int activation)
{
    return activation == FASTBP_SIGMOID || activation == FASTBP_TANH || activation == FASTBP_RELU
        || activation == FASTBP_IDENTITY;
}
typedef struct {
    int activation;
    vec factor; /* t = factor r */
    vec offset; /* what v_power_plus adds */
} power_activation;

FORCE_INLINE power_activation power_of(int activation)
{
    const int sigmoid = activation == FASTBP_SIGMOID, tanh = activation == FASTBP_TANH;
    const power_activation g = {
        activation, v_set1(sigmoid ? SIGMOID_FACTOR : tanh ? TANH_FACTOR : 1), v_set1(tanh ? -1 : 1)};
    return g;
}

/* a = numerator / denominator, and a' = slope_factor(activation) slope_numerator / denominator**2: what is multiplied by
 * these waits for the division alone. */
typedef struct {
    vec numerator, denominator, reciprocal, slope_numerator;
} fraction;
FORCE_INLINE real slope_factor(int activation) { return activation == FASTBP_TANH ? 4 : 1; }

/* (2**t - 1) / (2**t + 1) or 1 / (2**t + 1), of t = n + f. */
FORCE_INLINE void v_sigmoid_or_tanh(power_activation g, vec bits, vec f, vec *numerator, vec *denominator)
{
    const vec power = v_power_plus(bits, f, g.offset);
    *numerator = v_set1(1);
    *denominator = power;
    if (g.activation == FASTBP_TANH) {
        *numerator = power;
        *denominator = v_add(power, v_set1(2));
    }
}
FORCE_INLINE vec v_activate_linear(int activation, vec t, vec *slope)
{
    const vec zero = v_zero(), one = v_set1(1);
    *slope = activation == FASTBP_RELU ? v_select(v_lt(zero, t), one, zero) : one;
    return activation == FASTBP_RELU ? v_max(zero, t) : t;
}

/* Where n is known early. */
FORCE_INLINE vec v_activate_power(power_activation g, vec bits, vec f, vec *slope)
{
    if (g.activation == FASTBP_SIGMOID || g.activation == FASTBP_TANH) {
        vec numerator, denominator;
        f = v_split_power_again(f, &bits);
        v_sigmoid_or_tanh(g, bits, f, &numerator, &denominator);
        const vec a = v_div(numerator, denominator);
        *slope = v_fnma(a, a, g.activation == FASTBP_TANH ? v_set1(1) : a);
        return a;
    }
    return v_activate_linear(g.activation, v_add(v_power_integer(bits), f), slope);
}

FORCE_INLINE fraction v_activate_fraction(power_activation g, vec t)
{
    const vec one = v_set1(1);
    fraction a = {one, one, one, one};
    if (g.activation == FASTBP_SIGMOID || g.activation == FASTBP_TANH) {
        vec bits;
        const vec f = v_split_power(t, &bits);
        v_sigmoid_or_tanh(g, bits, f, &a.numerator, &a.denominator);
        a.reciprocal = v_div(one, a.denominator);
        a.slope_numerator = v_sub(a.denominator, one);
    } else {
        a.numerator = v_activate_linear(g.activation, t, &a.slope_numerator);
    }
    return a;
}
#endif
