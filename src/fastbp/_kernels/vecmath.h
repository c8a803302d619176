/* exp, tanh, gelu and their kin on whole vectors: written once, for both dtypes and all instruction sets of simd.h.
 *
 * Every function takes any input. NaN gives NaN, infinities give the limit, results are within 3 units in the last
 * place (ulp) of the true value (the slopes: within 3 eps * max(|slope|, 1)), subnormal ones included where they are
 * computed with at all (float_mode.h), and nothing changes the rounding mode. How:
 *   - No lane branches. Arguments are clamped to where the result has long reached its limit; the clamps are
 *     written v_max(constant, x) because there a NaN in x comes through.
 *   - Polynomials are evaluated in Estrin's order, which keeps the chains of dependent operations short: on-line
 *     learning waits for one vector at a time.
 *   - A power of two is applied as the last step, or its huge or tiny half is moved into a quotient, so that a
 *     subnormal result is rounded once.
 *   - The constants subtracted in range reductions are short enough that n * constant is exact without a fused
 *     multiply-add.
 * The coefficients come from tools/fit_coefficients.py. Beside each table stand the interval and the maximum error
 * of the fit, float64 first, in units of u = 2**-53 (float64) or 2**-24 (float32).
 */
#ifndef FASTBP_VECMATH_H
#define FASTBP_VECMATH_H

#include "simd.h"

/* ---------------------------------------------------------------- polynomials */
/* c[0] + c[1] x + ... + c[count-1] x**(count-1) in Estrin's order: each level pairs up the terms of the one below.
 * count is a constant wherever these are called, so what remains after inlining are the multiply-adds. */
FORCE_INLINE vec v_poly_2(vec x, const real *c, int count)
{
    return count == 1 ? v_set1(c[0]) : v_fma(v_set1(c[1]), x, v_set1(c[0]));
}
FORCE_INLINE vec v_poly_4(vec x, vec x2, const real *c, int count)
{
    return count <= 2 ? v_poly_2(x, c, count) : v_fma(v_poly_2(x, c + 2, count - 2), x2, v_poly_2(x, c, 2));
}
FORCE_INLINE vec v_poly_8(vec x, vec x2, vec x4, const real *c, int count)
{
    return count <= 4 ? v_poly_4(x, x2, c, count)
                      : v_fma(v_poly_4(x, x2, c + 4, count - 4), x4, v_poly_4(x, x2, c, 4));
}
/* At most 16 terms. */
FORCE_INLINE vec v_poly(vec x, const real *c, int count)
{
    vec x2 = v_mul(x, x), x4 = v_mul(x2, x2);
    return count <= 8 ? v_poly_8(x, x2, x4, c, count)
                      : v_fma(v_poly_8(x, x2, x4, c + 8, count - 8), v_mul(x4, x4), v_poly_8(x, x2, x4, c, 8));
}
#define V_POLY(x, table) v_poly(x, table, (int)(sizeof(table) / sizeof(real)))

/* x * x as a sum: returns the rounded square, *low is what it lacks. For |x| < 64 (float64) or 16 (float32). */
FORCE_INLINE vec v_square(vec x, vec *low)
{
#if V_FMA
    vec square = v_mul(x, x);
    *low = v_neg(v_fnma(x, x, square));
    return square;
#else
    /* head: x to 2**-20 (float32: 2**-8), few enough bits for an exact square; then x**2 - head**2. */
    vec magic = v_set1(PICK(0x1.8p+32, 0x1.8p+15f));
    vec head = v_sub(v_add(x, magic), magic);
    *low = v_mul(v_sub(x, head), v_add(x, head));
    return v_mul(head, head);
#endif
}

/* ---------------------------------------------------------------- exp and what is made of it */
#define LOG2_E PICK(0x1.71547652b82fep+0, 0x1.715476p+0f)
/* ln 2 = high + low; n * high is exact for |n| < 2**11 (float64) or 2**8 (float32). */
#define LN_2_HIGH PICK(0x1.62e42fefa3000p-1, 0x1.62e4p-1f)
#define LN_2_LOW PICK(0x1.3de6af278ece6p-42, 0x1.7f7d1cp-20f)
/* exp(x) rounds to 0 below the first and to infinity above the second. */
#define EXP_LOWEST PICK(-746, -104)
#define EXP_HIGHEST PICK(710, 89)

/* (exp(r) - 1) / r = 1 + r P(r) on |r| <= ln(2) / 2; error of exp(r) - 1: 0.16 u (P of degree 9), 0.22 u (degree 4). */
static const real EXP_SERIES[] = {
    1,
#if FASTBP_DOUBLE
    0x1.0000000000005p-1, 0x1.5555555555539p-3, 0x1.555555555228fp-5, 0x1.111111111900ep-7, 0x1.6c16c17ee71c0p-10,
    0x1.a01a0174fbd64p-13, 0x1.a019a74a8f510p-16, 0x1.71de882351ab8p-19, 0x1.28a206780936cp-22, 0x1.ae6baebab3475p-26,
#else
    0x1.fffffep-2f, 0x1.5554b0p-3f, 0x1.555674p-5f, 0x1.1227b0p-7f, 0x1.6bebfep-10f,
#endif
};

/* factor * x = n ln 2 + r with |r| <= ln(2) / 2 (Cody and Waite): returns r, sets n and scale = 2**(n + bias). The
 * integer comes out of the rounding with the exponent's bias already added, ready to be shifted into place. factor
 * is a power of two or its negative. */
FORCE_INLINE vec v_exp_reduce(vec x, real factor, int bias, vec *n, vec *scale)
{
    vec magic = v_set1(ROUND_MAGIC + (real)(EXPONENT_BIAS + bias));
    vec bits = v_fma(x, v_set1(factor * LOG2_E), magic);
    *n = v_sub(bits, magic);
    *scale = v_shift_left_mantissa(bits);
    vec r = v_fnma(*n, v_set1(LN_2_HIGH), v_mul(v_set1(factor), x));
    return v_fnma(*n, v_set1(LN_2_LOW), r);
}

/* exp(r) - 1 for a reduced r. */
FORCE_INLINE vec v_exp_reduced_minus_1(vec r)
{
    return v_fma(v_mul(r, r), v_poly(r, EXP_SERIES + 1, (int)(sizeof EXP_SERIES / sizeof(real)) - 1), r);
}

/* a * 2**n where 2**n alone may be out of range and the result subnormal: two factors, and only the second product
 * may have to round. */
FORCE_INLINE vec v_scale(vec a, vec n)
{
    vmask small = v_lt(n, v_set1(PICK(-1000, -100)));
    vec shift = v_select(small, v_set1(PICK(512, 64)), v_set1(-1));
    vec factor = v_select(small, v_set1(PICK(0x1p-512, 0x1p-64f)), v_set1(2));
    return v_mul(v_mul(a, factor), v_pow2(v_add(n, shift)));
}

FORCE_INLINE vec v_exp(vec x)
{
    vec n, scale;
    vec r = v_exp_reduce(v_max(v_set1(EXP_LOWEST), v_min(v_set1(EXP_HIGHEST), x)), 1, 0, &n, &scale);
    return v_scale(v_add(v_set1(1), v_exp_reduced_minus_1(r)), n);
}

/* exp(-x**2): the rounding error of the square, multiplied by x**2, would be felt; it is added to the reduced
 * argument. Serves v_gelu too, with another factor: exp(-factor * x**2) = (1 + *fraction) * 2**n. */
FORCE_INLINE vec v_exp_minus_square(vec x, real factor, vec *n)
{
    vec low, scale;
    vec square = v_square(x, &low);
    vec r = v_exp_reduce(square, -factor, 0, n, &scale);
    return v_exp_reduced_minus_1(v_fnma(v_set1(factor), low, r));
}

FORCE_INLINE vec v_gaussian(vec x)
{
    vec n;
    vec fraction = v_exp_minus_square(v_min(v_set1(PICK(28, (real)10.5)), v_abs(x)), 1, &n);
    return v_scale(v_add(v_set1(1), fraction), n);
}

/* exp(x) - 1 = 2 (2**(n-1) (exp(r) - 1) + (2**(n-1) - 1/2)); the factor 2 stands outside lest 2**n overflow.
 * Where n = 0 the bracket's second part is 0 and the relative accuracy that of the polynomial. The smallest x are
 * their own result, -0.0 too. */
FORCE_INLINE vec v_expm1(vec x)
{
    vec n, scale;
    vec r = v_exp_reduce(v_max(v_set1(PICK(-40, -20)), v_min(v_set1(EXP_HIGHEST), x)), 1, -1, &n, &scale);
    vec half = v_fma(scale, v_exp_reduced_minus_1(r), v_sub(scale, v_set1((real)0.5)));
    vec tiny = v_set1(PICK(0x1p-60, 0x1p-30f));
    return v_select(v_lt(v_abs(x), tiny), x, v_add(half, half));
}

/* 1 / (1 + exp(-x)), its numerator and denominator multiplied by SIGMOID_SCALE = 2**SIGMOID_SHIFT, so that exp(-x)
 * cannot overflow and the negative tail runs out into subnormal numbers with one rounding. */
#define SIGMOID_SHIFT PICK(-512, -64)
#define SIGMOID_SCALE PICK(0x1p-512, 0x1p-64f)
FORCE_INLINE vec v_sigmoid(vec x)
{
    vec n, scale;
    vec one = v_set1(SIGMOID_SCALE);
    vec y = v_max(v_set1(EXP_LOWEST), v_min(v_set1(PICK(40, 20)), x));
    vec r = v_exp_reduce(y, -1, SIGMOID_SHIFT, &n, &scale);
    /* exp(r) - 1 as r times its series: less to wait for than v_exp_reduced_minus_1, and as good where 1 is added. */
    return v_div(one, v_fma(v_mul(scale, r), V_POLY(r, EXP_SERIES), v_add(scale, one)));
}

/* (exp(2 x) - 1) / (exp(2 x) + 1), both with 2**n (exp(r) - 1) as a term, so that nothing cancels: where n = 0 the
 * numerator is exp(r) - 1 alone. The sign is that of x, -0.0 included.
 * (The rational form x P(x**2) / Q(x**2) takes two thirds of the time, but errs by up to 6 ulp.) */
FORCE_INLINE vec v_tanh(vec x)
{
    vec n, scale;
    vec bound = v_set1(PICK(20, 10));
    vec r = v_exp_reduce(v_max(v_neg(bound), v_min(bound, x)), 2, 0, &n, &scale);
    vec fraction = v_exp_reduced_minus_1(r);
    vec numerator = v_fma(scale, fraction, v_sub(scale, v_set1(1)));
    vec denominator = v_fma(scale, fraction, v_add(scale, v_set1(1)));
    return v_copysign(v_div(numerator, denominator), x);
}

/* ---------------------------------------------------------------- sigmoid and tanh that are waited for */
/* On-line learning waits for one vector after another: here for 32 cycles in place of 46 (float32, Zen 4), or for 23 where
 * most of the argument is known early. 2**t is taken, whose t = FACTOR x comes from the caller, who can multiply early what
 * x is made of. t = n + f, n an integer that comes as the `bits` that become 2**n. The clamp, which keeps 2**n a
 * normal number, stands behind a branch, because a branch that is foreseen is not waited for.
 * The rounding of t is as if x had been rounded once more, as a sum of products is anyhow. The sigmoid at x = -24 errs
 * by 28 ulp for it, so v_sigmoid and v_tanh are not made of this. */
#define SIGMOID_FACTOR (-LOG2_E)
#define TANH_FACTOR (2 * LOG2_E)
#define POWER_BOUND PICK(1022, 126)
#define POWER_FRACTION PICK(0.6, 0.6f) /* the largest |f| */

/* (2**f - 1) / f on |f| <= POWER_FRACTION; error of 2**f - 1: 0.019 u (degree 11), 0.54 u (degree 5). */
static const real EXP2_SERIES[] = {
#if FASTBP_DOUBLE
    0x1.62e42fefa39efp-1, 0x1.ebfbdff82c58fp-3, 0x1.c6b08d704a0e9p-5, 0x1.3b2ab6fba4de8p-7, 0x1.5d87fe789bea5p-10,
    0x1.430912f88d31ep-13, 0x1.ffcbfc972fb72p-17, 0x1.62c021dde35a5p-20, 0x1.b52494ffb0d45p-24, 0x1.e4d01236e555bp-28,
    0x1.ea6adf11e58b5p-32, 0x1.c3bd4b7683b1fp-36,
#else
    0x1.62e430p-1f, 0x1.ebfbdcp-3f, 0x1.c6ae3cp-5f, 0x1.3b2c9ap-7f, 0x1.5fb074p-10f, 0x1.4308e4p-13f,
#endif
};

FORCE_INLINE vec v_clamp_power(vec t) { return v_max(v_set1(-POWER_BOUND), v_min(v_set1(POWER_BOUND), t)); }
FORCE_INLINE vec v_power_bits(vec t) { return v_add(t, v_set1(ROUND_MAGIC + EXPONENT_BIAS)); }
FORCE_INLINE vec v_power_integer(vec bits) { return v_sub(bits, v_set1(ROUND_MAGIC + EXPONENT_BIAS)); }

/* f, and the bits of n. */
FORCE_INLINE vec v_split_power(vec t, vec *bits)
{
    if (v_any(v_lt(v_set1(POWER_BOUND), v_abs(t)))) t = v_clamp_power(t);
    *bits = v_power_bits(t);
    return v_sub(t, v_power_integer(*bits));
}

/* The same for an f to which something has been added since. */
FORCE_INLINE vec v_split_power_again(vec f, vec *bits)
{
    if (v_any(v_lt(v_set1(POWER_FRACTION), v_abs(f)))) {
        const vec t = v_clamp_power(v_add(v_power_integer(*bits), f));
        *bits = v_power_bits(t);
        f = v_sub(t, v_power_integer(*bits));
    }
    return f;
}

/* 2**(n + f) + offset. The power is 2**n + 2**n f series, and the product is distributed over the terms of the series, so
 * that it is not what comes last. */
FORCE_INLINE vec v_power_plus(vec bits, vec f, vec offset)
{
    const real *c = EXP2_SERIES;
    const vec scale = v_shift_left_mantissa(bits);
    const vec f2 = v_mul(f, f), d = v_mul(scale, f), d2 = v_mul(d, f2);
    vec sum = v_fma(d, v_poly_2(f, c, 2), v_add(scale, offset));
    sum = v_fma(d2, v_poly_4(f, f2, c + 2, 4), sum);
#if FASTBP_DOUBLE
    const vec f4 = v_mul(f2, f2);
    sum = v_fma(v_mul(d2, f4), v_poly_8(f, f2, f4, c + 6, 6), sum);
#endif
    return sum;
}

/* x / (1 + exp(-x)); at -inf the limit, -0.0 (the formula itself gives NaN there). exp(-x) = (1 + q) 2**n; what of n
 * lies above a bound moves as 2**(bound - n) to the numerator and to the 1. */
FORCE_INLINE vec v_silu(vec x)
{
    vec n, scale;
    vec bounded = v_max(v_set1(PICK(-760, -112)), x);
    vec r = v_exp_reduce(v_min(v_set1(PICK(40, 20)), bounded), -1, 0, &n, &scale);
    vec n_low = v_min(v_set1(PICK(512, 64)), n);
    vec one = v_pow2(v_sub(n_low, n));
    vec power = v_pow2(n_low);
    return v_div(v_mul(bounded, one), v_fma(power, v_exp_reduced_minus_1(r), v_add(power, one)));
}

/* d silu / dx = s + x s (1 - s), s = sigmoid(x). With e = exp(-|x|) and c = 1 / (1 + e) nothing cancels: the slope is
 * f = e c (1 - |x| c) on the left and 1 - f on the right. */
FORCE_INLINE vec v_silu_slope(vec x)
{
    vec magnitude = v_min(v_set1(-(real)EXP_LOWEST), v_abs(x));
    vec e = v_exp(v_neg(magnitude));
    vec complement = v_div(v_set1(1), v_add(v_set1(1), e));
    vec left = v_mul(v_mul(e, complement), v_fnma(magnitude, complement, v_set1(1)));
    return v_select(v_lt(x, v_zero()), left, v_sub(v_set1(1), left));
}

/* ---------------------------------------------------------------- softplus */
/* (2 atanh(s) / s - 2) / s**2 in s**2 on s <= 1/3; error of log1p: 0.012 u (degree 9), 0.075 u (degree 3). */
static const real LOG_COEFFICIENTS[] = {
#if FASTBP_DOUBLE
    0x1.5555555555535p-1, 0x1.99999999a06b4p-2, 0x1.2492492091650p-2, 0x1.c71c7419e42f0p-3, 0x1.745cb45ddf133p-3,
    0x1.3b1dd35c8f2cep-3, 0x1.1068329c7c787p-3, 0x1.efd1561fd5179p-4, 0x1.55d03947a9bd3p-4, 0x1.5c5b5f0a3e1c4p-3,
#else
    0x1.555502p-1f, 0x1.99d208p-2f, 0x1.1ebd1ap-2f, 0x1.1ed78ap-2f,
#endif
};

/* log(1 + exp(x)) = max(x, 0) + log1p(e), e = exp(-|x|) <= 1. With s = e / (2 + e) <= 1/3,
 *     log1p(e) = 2 atanh(s) = 2 s + s**3 C(s**2) = e - s (e - s**2 C(s**2)),      since 2 s = e - s e:
 * the rounding errors of s touch only the smaller part. */
FORCE_INLINE vec v_softplus(vec x)
{
    vec e = v_exp(v_neg(v_abs(x)));
    vec s = v_div(e, v_add(v_set1(2), e));
    vec square = v_mul(s, s);
    vec log1p = v_fnma(s, v_fnma(square, V_POLY(square, LOG_COEFFICIENTS), e), e);
    return v_add(v_max(v_zero(), x), log1p);
}

/* ---------------------------------------------------------------- gelu */
/* Phi(-a) exp(a**2 / 2) = (1 + a P(a) / Q(a)) / (2 + 2 a) on 0 <= a <= GELU_BOUND. The closed part is right at 0
 * and a quarter too large far out, so the rounding errors of P and Q weigh little. Error of the whole: 0.21 u
 * (degrees 9, 10), 0.039 u (4, 5). */
#define GELU_BOUND PICK(39, (real)14.5)
static const real GELU_P[] = {
#if FASTBP_DOUBLE
    0x1.9deeb30af263bp-3, 0x1.712dc46d15efep-3, 0x1.c577ec3704e94p-5, -0x1.d9de142863fdap-8, -0x1.9a6434c625c71p-7,
    -0x1.567957125db4cp-8, -0x1.4a619fbf85592p-10, -0x1.947d023e59df0p-13, -0x1.2d2373f81c49dp-16,
    -0x1.b2d7415f65811p-21,
#else
    0x1.9deec6p-3f, 0x1.802b8ap-5f, -0x1.5a7e0ap-6f, -0x1.ab5c4ap-7f, -0x1.44d0ap-9f,
#endif
};
static const real GELU_Q[] = {
#if FASTBP_DOUBLE
    0x1.0000000000000p+0, 0x1.2ecfc456f8903p+1, 0x1.4d222aba9c9d1p+1, 0x1.c2129181163adp+0, 0x1.9ecb5a19c388fp-1,
    0x1.118b0ea62e586p-2, 0x1.06b6cae04eee7p-4, 0x1.6d19932e3deecp-7, 0x1.6249316e69121p-10, 0x1.b6d61f55cb824p-14,
    0x1.0cee555c42c2fp-18,
#else
    0x1p+0f, 0x1.b4b408p+0f, 0x1.4062c4p+0f, 0x1.01385ep-1f, 0x1.ce7f2ap-4f, 0x1.91c772p-7f,
#endif
};

/* a P(a) / Q(a) */
FORCE_INLINE vec v_gelu_fraction(vec a) { return v_div(v_mul(a, V_POLY(a, GELU_P)), V_POLY(a, GELU_Q)); }

/* x Phi(x) with a = |x|: max(x, 0) - a Phi(-a). The two factors 1 + f of Phi(-a), one of them from the exponential,
 * are multiplied without their 1, so that their rounding errors stay small; what the sum 1 + a and (with a fused
 * multiply-add) the quotient b = a / (2 + 2 a) lost by rounding is put back as a small term, too. */
FORCE_INLINE vec v_gelu(vec x)
{
    vec n;
    vec a = v_min(v_set1(GELU_BOUND), v_abs(x));
    vec f = v_exp_minus_square(a, (real)0.5, &n);
    vec g = v_gelu_fraction(a);
    vec half = v_mul(a, v_set1((real)0.5));
    vec sum = v_add(a, v_set1(1));
    vec larger = v_max(a, v_set1(1)), smaller = v_min(a, v_set1(1));
    vec lost = v_sub(smaller, v_sub(sum, larger));
    vec b = v_div(half, sum);
    vec rest = v_neg(v_mul(b, lost));
#if V_FMA
    rest = v_add(v_fnma(b, sum, half), rest);
#endif
    vec small = v_fma(b, v_add(f, v_fma(f, g, g)), v_div(rest, sum));
    return v_sub(v_max(v_zero(), x), v_scale(v_add(small, b), n));
}

/* d gelu / dx = Phi(x) + x phi(x): on the left f = Phi(-a) - a phi(a), on the right 1 - f. */
FORCE_INLINE vec v_gelu_slope(vec x)
{
    vec a = v_min(v_set1(GELU_BOUND), v_abs(x));
    vec e = v_exp(v_mul(v_set1((real)-0.5), v_mul(a, a)));
    vec ratio = v_div(v_add(v_set1(1), v_gelu_fraction(a)), v_fma(a, v_set1(2), v_set1(2)));
    vec left = v_mul(e, v_fnma(a, v_set1(PICK(0x1.9884533d43651p-2, 0x1.988454p-2f)), ratio));
    return v_select(v_lt(x, v_zero()), left, v_sub(v_set1(1), left));
}

/* ---------------------------------------------------------------- sin and cos */
/* pi in three parts; n * PI_1 and n * PI_2 are exact for multiples n of 1/2 below 2**17 (float64) or 2**8 (float32).
 * Up to SIN_BOUND no number of the dtype is so close to a zero of sin or cos that a fourth part would be felt. */
#define PI_1 PICK(0x1.921fb5444p+1, 0x1.921cp+1f)
#define PI_2 PICK(0x1.68c234c4cp-38, 0x1.daap-14f)
#define PI_3 PICK(0x1.98a2e03707345p-76, 0x1.10b462p-29f)
#define SIN_BOUND PICK(200000, 250)
/* Adding this to a small integer puts its lowest bit where v_shift_left_mantissa moves it to the sign. */
#define PARITY_MAGIC PICK(0x1.8p+41, 0x1.8p+15f)

/* sin(r) = r + r**3 (SIN_3 + r**2 C(r**2)) on |r| <= pi / 2; error of sin: 4e-6 u (degree 7), 0.10 u (degree 2).
 * SIN_3 is added last because among the first terms of an Estrin sum it would be rounded four times. */
#define SIN_3 PICK(-0x1.5555555555555p-3, -0x1.55554cp-3f)
static const real SIN_COEFFICIENTS[] = {
#if FASTBP_DOUBLE
    0x1.1111111111111p-7, -0x1.a01a01a019fdbp-13, 0x1.71de3a5569cd0p-19, -0x1.ae64567d50c46p-26,
    0x1.6124604d2d656p-33, -0x1.ae7eb77987184p-41, 0x1.94fe182a51c26p-49, -0x1.2673cff8b4af8p-57,
#else
    0x1.110ed2p-7f, -0x1.9f6fa8p-13f, 0x1.5db8cep-19f,
#endif
};

/* Where |x| > SIN_BOUND, the C library's sin or cos (at an infinity: NaN); elsewhere y. Rare. */
FORCE_INLINE vec v_sin_large(vec x, vec y, int cosine)
{
    real arguments[VLEN], results[VLEN];
    v_store(arguments, x);
    v_store(results, y);
    for (int i = 0; i < VLEN; i++)
        if (PICK(fabs, fabsf)(arguments[i]) > SIN_BOUND)
            results[i] = cosine ? PICK(cos, cosf)(arguments[i]) : PICK(sin, sinf)(arguments[i]);
    return v_load(results);
}

/* sin(x), or cos(x) = sin(x + pi/2): the argument is k pi + r with |r| <= pi/2, and the result (-1)**k sin(r). For
 * the cosine x itself is (k - 1/2) pi + r. */
FORCE_INLINE vec v_sin_or_cos(vec x, int cosine)
{
    vec turns = v_mul(x, v_set1(PICK(0x1.45f306dc9c883p-2, 0x1.45f306p-2f)));
    vec k = v_round(cosine ? v_add(turns, v_set1((real)0.5)) : turns);
    vec n = cosine ? v_sub(k, v_set1((real)0.5)) : k;
    vec r = v_fnma(n, v_set1(PI_3), v_fnma(n, v_set1(PI_2), v_fnma(n, v_set1(PI_1), x)));
    vec square = v_mul(r, r);
    vec sign = v_shift_left_mantissa(v_add(k, v_set1(PARITY_MAGIC)));
    vec cubic = v_fma(square, V_POLY(square, SIN_COEFFICIENTS), v_set1(SIN_3));
    vec y = v_fma(v_mul(square, r), cubic, r);
    y = v_xor(sign, v_or(y, v_and(v_set1((real)-0.0), r))); /* the sum of -0.0 and +0.0 has lost its sign */
    return v_any(v_lt(v_set1(SIN_BOUND), v_abs(x))) ? v_sin_large(x, y, cosine) : y;
}
FORCE_INLINE vec v_sin(vec x) { return v_sin_or_cos(x, 0); }
FORCE_INLINE vec v_cos(vec x) { return v_sin_or_cos(x, 1); }

#endif
