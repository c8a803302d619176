"""The C of what a header is made of: products, activations and their slopes, once for both dtypes.

The templates are written for double. `NAME_` becomes the header's prefix; for float32, `in_dtype` turns double into
float and marks literals and calls of the C library with an f.

Vectors are gcc's and clang's own (vector_size): loops that compilers were left to vectorise took 45 to 620 ns for one
and the same layer of 32x32, depending on flags (gcc 12, clang 14, Zen 4). Without them, NAME_vec is a single number,
and the code is plain C99. The integer in exp comes from a conversion, not from adding a large constant: that takes 5 to
15 % less time, but is wrong under -ffast-math, as embedded code is often compiled.
"""

import re
import textwrap
from typing import NamedTuple

import numpy as np

# Of vecmath.h, whose comments say what these are and how well they fit; tests/test_to_c.py compares.
EXP = {
    "float64": "0x1.0000000000005p-1 0x1.5555555555539p-3 0x1.555555555228fp-5 0x1.111111111900ep-7 "
               "0x1.6c16c17ee71c0p-10 0x1.a01a0174fbd64p-13 0x1.a019a74a8f510p-16 0x1.71de882351ab8p-19 "
               "0x1.28a206780936cp-22 0x1.ae6baebab3475p-26",
    "float32": "0x1.fffffep-2 0x1.5554b0p-3 0x1.555674p-5 0x1.1227b0p-7 0x1.6bebfep-10",
}
LOG = {
    "float64": "0x1.5555555555535p-1 0x1.99999999a06b4p-2 0x1.2492492091650p-2 0x1.c71c7419e42f0p-3 "
               "0x1.745cb45ddf133p-3 0x1.3b1dd35c8f2cep-3 0x1.1068329c7c787p-3 0x1.efd1561fd5179p-4 "
               "0x1.55d03947a9bd3p-4 0x1.5c5b5f0a3e1c4p-3",
    "float32": "0x1.555502p-1 0x1.99d208p-2 0x1.1ebd1ap-2 0x1.1ed78ap-2",
}
GELU_P = {
    "float64": "0x1.9deeb30af263bp-3 0x1.712dc46d15efep-3 0x1.c577ec3704e94p-5 -0x1.d9de142863fdap-8 "
               "-0x1.9a6434c625c71p-7 -0x1.567957125db4cp-8 -0x1.4a619fbf85592p-10 -0x1.947d023e59df0p-13 "
               "-0x1.2d2373f81c49dp-16 -0x1.b2d7415f65811p-21",
    "float32": "0x1.9deec6p-3 0x1.802b8ap-5 -0x1.5a7e0ap-6 -0x1.ab5c4ap-7 -0x1.44d0ap-9",
}
GELU_Q = {
    "float64": "0x1.0000000000000p+0 0x1.2ecfc456f8903p+1 0x1.4d222aba9c9d1p+1 0x1.c2129181163adp+0 "
               "0x1.9ecb5a19c388fp-1 0x1.118b0ea62e586p-2 0x1.06b6cae04eee7p-4 0x1.6d19932e3deecp-7 "
               "0x1.6249316e69121p-10 0x1.b6d61f55cb824p-14 0x1.0cee555c42c2fp-18",
    "float32": "0x1p+0 0x1.b4b408p+0 0x1.4062c4p+0 0x1.01385ep-1 0x1.ce7f2ap-4 0x1.91c772p-7",
}
SIN = {
    "float64": "-0x1.5555555555555p-3 0x1.1111111111111p-7 -0x1.a01a01a019fdbp-13 0x1.71de3a5569cd0p-19 "
               "-0x1.ae64567d50c46p-26 0x1.6124604d2d656p-33 -0x1.ae7eb77987184p-41 0x1.94fe182a51c26p-49 "
               "-0x1.2673cff8b4af8p-57",
    "float32": "-0x1.55554cp-3 0x1.110ed2p-7 -0x1.9f6fa8p-13 0x1.5db8cep-19",
}
TABLES = {"EXP": EXP, "LOG": LOG, "GELU_P": GELU_P, "GELU_Q": GELU_Q, "SIN": SIN}

# What else depends on the dtype. Constants of range reductions are those of vecmath.h, too.
CONSTANTS = {
    "float64": {
        "INT_BITS": "NAME_BYTES / 2", "BITS": "int64_t", "SHIFT": "52", "HALF_BIAS": "1022.0", "ROUND": "1022.5",
        "LOWEST": "-1021.0", "HIGHEST": "1024.0", "LN_2_HIGH": "0x1.62e42fefa3000p-1",
        "LN_2_LOW": "0x1.3de6af278ece6p-42", "POSITIVE": "INT64_MAX", "LARGEST": "1e308",
        "TANH_BOUND": "20.0", "ELU_BOUND": "-40.0",
        "SILU_BOUND": "-800.0", "GELU_BOUND": "39.0", "LARGE": "1e300", "PI_1": "0x1.921fb5444p+1",
        "PI_2": "0x1.68c234c4cp-38", "PI_3": "0x1.98a2e03707345p-76", "SIN_BOUND": "200000.0", "SIN_TURNS": "65536.0",
        "MANTISSA": "DBL_MANT_DIG != 53", "BINARY": "binary64",
    },
    "float32": {
        "INT_BITS": "NAME_BYTES", "BITS": "int32_t", "SHIFT": "23", "HALF_BIAS": "126.0", "ROUND": "126.5",
        "LOWEST": "-125.0", "HIGHEST": "128.0", "LN_2_HIGH": "0x1.62e4p-1",
        "LN_2_LOW": "0x1.7f7d1cp-20", "POSITIVE": "INT32_MAX", "LARGEST": "1e38",
        "TANH_BOUND": "10.0", "ELU_BOUND": "-20.0",
        "SILU_BOUND": "-100.0", "GELU_BOUND": "14.5", "LARGE": "1e30", "PI_1": "0x1.921cp+1", "PI_2": "0x1.daap-14",
        "PI_3": "0x1.10b462p-29", "SIN_BOUND": "250.0", "SIN_TURNS": "128.0",
        "MANTISSA": "FLT_MANT_DIG != 24", "BINARY": "binary32",
    },
}
# In more digits than either dtype has.
SHARED = {"LOG2_E": "1.4426950408889634", "ONE_BY_PI": "0.3183098861837907", "ROOT_HALF": "0.7071067811865476",
          "DENSITY": "0.3989422804014327"}

# ------------------------------------------------------------------------- numbers side by side, and products
VECTORS = """\
#if $MANTISSA
#error "this header needs IEEE 754's $BINARY; export a network of the other dtype, or one with libm"
#endif

/* NAME_vec: several numbers side by side where gcc or clang find SSE2, AVX or NEON. Elsewhere, and with NAME_PLAIN
 * defined, it is one number. */
#if defined(__GNUC__) && (defined(__SSE2__) || defined(__aarch64__)) && !defined(NAME_PLAIN)
#if $LEVELS
#else
#define NAME_BYTES 16
#endif
typedef double NAME_vec __attribute__((vector_size(NAME_BYTES)));
typedef $BITS NAME_bits __attribute__((vector_size(NAME_BYTES)));
typedef int32_t NAME_int __attribute__((vector_size($INT_BITS)));
typedef NAME_bits NAME_mask;
#define NAME_CONVERT(value, type) __builtin_convertvector(value, type)
static inline NAME_vec NAME_select(NAME_mask where, NAME_vec a, NAME_vec b)
{
    return (NAME_vec)((where & (NAME_mask)a) | (~where & (NAME_mask)b));
}
static inline NAME_vec NAME_abs(NAME_vec x) { return (NAME_vec)((NAME_mask)x & $POSITIVE); }
#else
typedef double NAME_vec;
typedef $BITS NAME_bits;
typedef int32_t NAME_int;
typedef int NAME_mask;
#define NAME_CONVERT(value, type) ((type)(value))
static inline NAME_vec NAME_select(NAME_mask where, NAME_vec a, NAME_vec b) { return where ? a : b; }
static inline NAME_vec NAME_abs(NAME_vec x) { return x < 0.0 ? -x : x; }
#endif
#define NAME_LANES ((int)(sizeof(NAME_vec) / sizeof(double)))
#define NAME_PADDED(n) (((n) + NAME_LANES - 1) / NAME_LANES * NAME_LANES) /* how long an array of whole vectors is */

static inline NAME_vec NAME_all(double x)
{
    const NAME_vec zero = {0};
    return zero + x;
}
static inline NAME_vec NAME_load(const double *p)
{
    NAME_vec v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void NAME_store(double *p, NAME_vec v) { memcpy(p, &v, sizeof v); }

"""

FLASH = """\
/* Parameters stay in flash, which AVR's processors read by instructions of its own. */
#ifdef __AVR__
#include <avr/pgmspace.h>
#define NAME_FLASH PROGMEM
#define NAME_PARAMETER(p) pgm_read_float(p)
#else
#define NAME_FLASH
#define NAME_PARAMETER(p) (*(p))
#endif

"""

# Narrow layers would leave lanes of AVX-512 empty, and wait longer for what is in the others.
NARROW = "defined(__AVX__)\n#define NAME_BYTES 32"
WIDE = f"defined(__AVX512F__)\n#define NAME_BYTES 64\n#elif {NARROW}"

AFFINE = """\
#ifdef __AVR__
#define NAME_LOAD_PARAMETERS(p) NAME_PARAMETER(p)
#else
#define NAME_LOAD_PARAMETERS(p) NAME_load(p)
#endif

/* One vector of r = x W + b, in two sums, for each waits for its last addition. */
static inline void NAME_affine_1(int n_in, int n_out, const double *x, const double *W, const double *b, double *r)
{
    NAME_vec sum = b ? NAME_LOAD_PARAMETERS(b) : NAME_all(0.0), other = NAME_all(0.0);
    int i = 0;
    for (; i + 1 < n_in; i += 2, W += 2 * n_out) {
        sum += x[i] * NAME_LOAD_PARAMETERS(W);
        other += x[i + 1] * NAME_LOAD_PARAMETERS(W + n_out);
    }
    if (i < n_in) sum += x[i] * NAME_LOAD_PARAMETERS(W);
    NAME_store(r, sum + other);
}

/* r = x W + b; b may be NULL. Four vectors at a time stay in registers; the last vector may overlap the one before. */
static inline void NAME_affine(int n_in, int n_out, const double *x, const double *W, const double *b, double *r)
{
    const int lanes = NAME_LANES;
    int j = 0;
    for (; j + 4 * lanes <= n_out; j += 4 * lanes) {
        const double *w = W + j;
        NAME_vec sum_0 = NAME_all(0.0), sum_1 = sum_0, sum_2 = sum_0, sum_3 = sum_0;
        if (b) {
            sum_0 = NAME_LOAD_PARAMETERS(b + j);
            sum_1 = NAME_LOAD_PARAMETERS(b + j + lanes);
            sum_2 = NAME_LOAD_PARAMETERS(b + j + 2 * lanes);
            sum_3 = NAME_LOAD_PARAMETERS(b + j + 3 * lanes);
        }
        for (int i = 0; i < n_in; i++, w += n_out) {
            sum_0 += x[i] * NAME_LOAD_PARAMETERS(w);
            sum_1 += x[i] * NAME_LOAD_PARAMETERS(w + lanes);
            sum_2 += x[i] * NAME_LOAD_PARAMETERS(w + 2 * lanes);
            sum_3 += x[i] * NAME_LOAD_PARAMETERS(w + 3 * lanes);
        }
        NAME_store(r + j, sum_0);
        NAME_store(r + j + lanes, sum_1);
        NAME_store(r + j + 2 * lanes, sum_2);
        NAME_store(r + j + 3 * lanes, sum_3);
    }
    for (; j + lanes <= n_out; j += lanes) NAME_affine_1(n_in, n_out, x, W + j, b ? b + j : b, r + j);
    if (j < n_out && n_out > lanes) {
        j = n_out - lanes;
        NAME_affine_1(n_in, n_out, x, W + j, b ? b + j : b, r + j);
        return;
    }
    for (; j < n_out; j++) { /* fewer outputs than a vector has lanes */
        const double *w = W + j;
        double sum = b ? NAME_PARAMETER(b + j) : 0.0, other = 0.0;
        int i = 0;
        for (; i + 1 < n_in; i += 2, w += 2 * n_out) {
            sum += x[i] * NAME_PARAMETER(w);
            other += x[i + 1] * NAME_PARAMETER(w + n_out);
        }
        if (i < n_in) sum += x[i] * NAME_PARAMETER(w);
        r[j] = sum + other;
    }
}

"""

PLAIN_AFFINE = """\
/* r = x W + b; b may be NULL. */
static inline void NAME_affine(int n_in, int n_out, const double *x, const double *W, const double *b, double *r)
{
    for (int j = 0; j < n_out; j++) r[j] = b ? NAME_PARAMETER(b + j) : 0.0;
    for (int i = 0; i < n_in; i++)
        for (int j = 0; j < n_out; j++, W++) r[j] += x[i] * NAME_PARAMETER(W);
}

"""


# ------------------------------------------------------------------------- functions of one vector
class Function(NamedTuple):
    """What it calls, and the C. The methods are those of vecmath.h, without the care that its last ulp takes."""

    calls: tuple[str, ...]
    code: str


FUNCTIONS = {
    "expm1_reduced": Function((), """\
/* exp(x) = 2 half (1 + e) with half a power of two; e is returned. turns is x / ln(2), or 0 where no exponent is as
 * large: there the caller knows the result. */
static inline NAME_vec NAME_expm1_reduced(NAME_vec x, NAME_vec turns, NAME_vec *half)
{
    const NAME_int exponent = NAME_CONVERT(turns + $ROUND, NAME_int);
    const NAME_bits bits = NAME_CONVERT(exponent, NAME_bits) << $SHIFT;
    const NAME_vec n = NAME_CONVERT(exponent, NAME_vec) - $HALF_BIAS;
    const NAME_vec r = (x - n * $LN_2_HIGH) - n * $LN_2_LOW, r_2 = r * r$POWERS_OF_EXP(r);
    memcpy(half, &bits, sizeof bits);
    return r + r_2 * ($EXP(r));
}
"""),
    "exp": Function(("expm1_reduced",), """\
static inline NAME_vec NAME_exp(NAME_vec x)
{
    const NAME_vec turns = x * $LOG2_E, zero = NAME_all(0.0);
    const NAME_mask near = (turns > $LOWEST) & (turns < $HIGHEST);
    const NAME_vec far = NAME_select(x < 0.0, zero, x * $LARGEST); /* 0, infinity or NaN */
    NAME_vec half;
    const NAME_vec e = NAME_expm1_reduced(x, NAME_select(near, turns, zero), &half), y = half + half * e;
    return NAME_select(near, y + y, far);
}
"""),
    "tanh": Function(("expm1_reduced",), """\
/* (exp(2 |r|) - 1) / (exp(2 |r|) + 1), with the sign of r. */
static inline NAME_vec NAME_tanh(NAME_vec r)
{
    const NAME_vec x = NAME_abs(r), turns = x * (2.0 * $LOG2_E);
    const NAME_mask near = x < $TANH_BOUND;
    const NAME_vec far = NAME_select(x > 0.0, NAME_all(1.0), x); /* 1 or NaN */
    NAME_vec half;
    const NAME_vec e = NAME_expm1_reduced(x + x, NAME_select(near, turns, NAME_all(0.0)), &half), part = half * e;
    const NAME_vec a = NAME_select(near, (part + (half - 0.5)) / (part + (half + 0.5)), far);
    return NAME_select(r < 0.0, -a, a);
}
"""),
    "elu": Function(("expm1_reduced",), """\
/* exp(r) - 1 where r < 0, else r. */
static inline NAME_vec NAME_elu(NAME_vec r)
{
    NAME_vec half, x = NAME_select(r < 0.0, r, NAME_all(0.0));
    x = NAME_select(x < $ELU_BOUND, NAME_all($ELU_BOUND), x);
    const NAME_vec e = NAME_expm1_reduced(x, x * $LOG2_E, &half), y = half * e + (half - 0.5);
    return NAME_select(r < 0.0, y + y, r);
}
"""),
    "softplus": Function(("exp",), """\
/* log(1 + exp(r)) = max(r, 0) + log(1 + e) with e = exp(-|r|), and log(1 + e) = 2 atanh(s) with s = e / (2 + e). */
static inline NAME_vec NAME_softplus(NAME_vec r)
{
    const NAME_vec e = NAME_exp(-NAME_abs(r)), s = e / (2.0 + e), t = s * s, t_2 = t * t$POWERS_OF_LOG(t);
    return NAME_select(r > 0.0, r, NAME_all(0.0)) + (e - s * (e - t * ($LOG(t))));
}
"""),
    "silu": Function(("exp",), """\
/* r / (1 + exp(-r)); far to the left 0, where the quotient of infinities would be NaN. */
static inline NAME_vec NAME_silu(NAME_vec r)
{
    return NAME_select(r < $SILU_BOUND, NAME_all(0.0), r / (1.0 + NAME_exp(-r)));
}
"""),
    "silu_slope": Function(("exp",), """\
/* With e = exp(-|r|) and c = 1 / (1 + e): e c (1 - |r| c) on the left, 1 minus that on the right. */
static inline NAME_vec NAME_silu_slope(NAME_vec r)
{
    NAME_vec x = NAME_abs(r);
    x = NAME_select(x > -($SILU_BOUND), NAME_all(-($SILU_BOUND)), x);
    const NAME_vec e = NAME_exp(-x), c = 1.0 / (1.0 + e), left = e * c * (1.0 - x * c);
    return NAME_select(r < 0.0, left, 1.0 - left);
}
"""),
    "normal_tail": Function(("exp",), """\
/* The normal distribution's Phi(-a), and the power exp(-a a / 2), for a from 0 to $GELU_BOUND. */
static inline NAME_vec NAME_normal_tail(NAME_vec a, NAME_vec *power)
{
    const NAME_vec a_2 = a * a$POWERS_OF_GELU_Q(a);
    const NAME_vec fraction = a * ($GELU_P(a)) / ($GELU_Q(a));
    *power = NAME_exp(-0.5 * a_2);
    return *power * (1.0 + fraction) / (2.0 + 2.0 * a);
}
"""),
    "gelu": Function(("normal_tail",), """\
/* r Phi(r) = max(r, 0) - |r| Phi(-|r|) */
static inline NAME_vec NAME_gelu(NAME_vec r)
{
    NAME_vec power, a = NAME_abs(r);
    a = NAME_select(a > $GELU_BOUND, NAME_all($GELU_BOUND), a);
    return NAME_select(r > 0.0, r, NAME_all(0.0)) - a * NAME_normal_tail(a, &power);
}
"""),
    "gelu_slope": Function(("normal_tail",), """\
/* Phi(-a) - a phi(a) on the left, 1 minus that on the right; phi is the normal density. */
static inline NAME_vec NAME_gelu_slope(NAME_vec r)
{
    NAME_vec power, a = NAME_abs(r);
    a = NAME_select(a > $GELU_BOUND, NAME_all($GELU_BOUND), a);
    const NAME_vec tail = NAME_normal_tail(a, &power), left = tail - a * power * $DENSITY;
    return NAME_select(r < 0.0, left, 1.0 - left);
}
"""),
    "softsign": Function((), """\
/* r / (1 + |r|), also at the infinities. */
static inline NAME_vec NAME_softsign(NAME_vec r)
{
    NAME_vec x = NAME_abs(r);
    x = NAME_select(x > $LARGE, NAME_all($LARGE), x);
    const NAME_vec a = x / (1.0 + x);
    return NAME_select(r < 0.0, -a, a);
}
"""),
    "sin": Function((), """\
/* sin(x + shift pi), shift 0 or 1/2; NaN beyond |x| = $SIN_BOUND, where subtracting multiples of pi gets inexact. */
static inline NAME_vec NAME_sin(NAME_vec x, double shift)
{
    const NAME_mask near = NAME_abs(x) < $SIN_BOUND;
    const NAME_vec turns = NAME_select(near, x, NAME_all(0.0)) * $ONE_BY_PI + shift;
    const NAME_int k = NAME_CONVERT(turns + ($SIN_TURNS + 0.5), NAME_int);
    const NAME_vec n = (NAME_CONVERT(k, NAME_vec) - $SIN_TURNS) - shift;
    const NAME_vec r = ((x - n * $PI_1) - n * $PI_2) - n * $PI_3, t = r * r, t_2 = t * t$POWERS_OF_SIN(t);
    const NAME_vec y = r + r * t * ($SIN(t)), zero = r - r;
    return NAME_select(near, NAME_select(NAME_CONVERT(k & 1, NAME_bits) != 0, -y, y), zero / zero);
}
"""),
}

# With the C library, numbers come one by one, and these take the place of the functions of the same name.
LIBM = {
    "exp": "exp", "tanh": "tanh", "abs": "fabs",
    "elu": Function((), """\
/* exp(r) - 1 where r < 0, else r. */
static inline double NAME_elu(double r) { return r < 0.0 ? expm1(r) : r; }
"""),
    "softplus": Function((), """\
/* log(1 + exp(r)) */
static inline double NAME_softplus(double r) { return (r > 0.0 ? r : 0.0) + log1p(exp(-fabs(r))); }
"""),
    "gelu": Function((), """\
/* r Phi(r) with the normal distribution's Phi; far to the left 0, where 0 times infinity would be NaN. */
static inline double NAME_gelu(double r) { return r < -$GELU_BOUND ? 0.0 : 0.5 * r * erfc(-r * $ROOT_HALF); }
"""),
    "gelu_slope": Function((), """\
static inline double NAME_gelu_slope(double r)
{
    return 0.5 * erfc(-r * $ROOT_HALF) + (fabs(r) > $GELU_BOUND ? 0.0 : r * exp(-0.5 * r * r) * $DENSITY);
}
"""),
    "sin": Function((), """\
/* sin(r + shift pi), shift 0 or 1/2 */
static inline double NAME_sin(double r, double shift) { return shift > 0.0 ? cos(r) : sin(r); }
"""),
}


class Formula(NamedTuple):
    """An activation: what it calls, a = g(r), what its slope calls besides, and g'(r)."""

    calls: tuple[str, ...]
    output: str
    slope_calls: tuple[str, ...]
    slope: str


ACTIVATIONS = {
    "threshold": Formula((), "NAME_select(r >= 0.0, NAME_all(1.0), NAME_select(r < 0.0, NAME_all(0.0), r))",
                         (), "NAME_all(1.0)"),
    "sigmoid": Formula(("exp",), "1.0 / (1.0 + NAME_exp(-r))", (), "a * (1.0 - a)"),
    "tanh": Formula(("tanh",), "NAME_tanh(r)", (), "1.0 - a * a"),
    "relu": Formula((), "NAME_select(r < 0.0, NAME_all(0.0), r)",
                    (), "NAME_select(a > 0.0, NAME_all(1.0), NAME_all(0.0))"),
    "leaky_relu": Formula((), "NAME_select(r > 0.0, r, 0.01 * r)",
                          (), "NAME_select(a > 0.0, NAME_all(1.0), NAME_all(0.01))"),
    "elu": Formula(("elu",), "NAME_elu(r)", (), "NAME_select(a > 0.0, NAME_all(1.0), a + 1.0)"),
    "softplus": Formula(("softplus",), "NAME_softplus(r)", ("exp",), "1.0 / (1.0 + NAME_exp(-r))"),
    "silu": Formula(("silu",), "NAME_silu(r)", ("silu_slope",), "NAME_silu_slope(r)"),
    "gelu": Formula(("gelu",), "NAME_gelu(r)", ("gelu_slope",), "NAME_gelu_slope(r)"),
    "softsign": Formula(("softsign",), "NAME_softsign(r)",
                        (), "(1.0 - NAME_abs(a)) * (1.0 - NAME_abs(a))"),
    "gaussian": Formula(("exp",), "NAME_exp(-r * r)", (), "-2.0 * a * r"),
    "sin": Formula(("sin",), "NAME_sin(r, 0.0)", (), "NAME_sin(r, 0.5)"),
    "exp": Formula(("exp",), "NAME_exp(r)", (), "a"),
}

SOFTMAX = """\
/* exp(r) divided by its sum, both taken relative to the largest. */
static inline void NAME_apply_softmax(int n, const double *net_input, double *output)
{
    double largest = net_input[0], sum = 0.0;
    for (int j = 1; j < n; j++) largest = net_input[j] > largest ? net_input[j] : largest;
$LOOP
    for (int j = 0; j < n; j++) sum += output[j];
    for (int j = 0; j < n; j++) output[j] /= sum;
}

"""
SOFTMAX_SLOPE = """\
/* t = y (t - sum of y t): a row of derivatives through the softmax with the outputs y, forwards or backwards. */
static inline void NAME_through_softmax(int n, const double *y, double *t)
{
    double mean = 0.0;
    for (int j = 0; j < n; j++) mean += y[j] * t[j];
    for (int j = 0; j < n; j++) t[j] = y[j] * (t[j] - mean);
}

"""
APPLY = """\
static inline void NAME_apply_$ACTIVATION(int n, const double *net_input, double *output)
{
$LOOP
}

"""
SLOPE = """\
static inline void NAME_slope_$ACTIVATION(int n, const double *net_input, const double *output, double *slope)
{
$UNUSED$LOOP
}

"""
MULTIPLY = """\
/* row = row slope, element by element. */
static inline void NAME_multiply(int n, const double *slope, double *row)
{
$LOOP
}

"""


def loop(vectors, result, value, **loaded):
    """A loop over a layer that takes `value` of the arrays that are loaded, each under a short name."""
    names = {short: array for short, array in loaded.items() if re.search(rf"\b{short}\b", value)}
    if not vectors:
        for short, array in names.items():
            value = re.sub(rf"\b{short}\b", f"{array}[j]", value)
        return f"    for (int j = 0; j < n; j++) {result}[j] = {value};"
    loads = ", ".join(f"{short} = NAME_load({array} + j)" for short, array in names.items())
    loads = f"        const NAME_vec {loads};\n" if loads else ""
    return ("    for (int j = 0; j < n; j += NAME_LANES) {\n" + loads
            + f"        NAME_store({result} + j, {value});\n    }}")


def count(n, what):
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def literal(x, dtype):
    """A decimal number that reads back as this one; subnormal numbers are 0, as they are in every call of fastbp."""
    x = np.dtype(dtype).type(x)
    if np.issubdtype(dtype, np.integer):
        return str(x)
    return str(x if abs(x) >= np.finfo(dtype).smallest_normal else np.copysign(x * 0, x))


def numbers(array):
    """An array as C writes it, row by row."""
    if array.ndim == 1:
        text = ", ".join(literal(x, array.dtype) for x in array)
        return "{\n" + textwrap.fill(text, 116, initial_indent="    ", subsequent_indent="    ") + "\n}"
    rows = [textwrap.fill(", ".join(literal(x, array.dtype) for x in row), 112, initial_indent="    {",
                          subsequent_indent="     ") + "},\n" for row in array]
    return "{\n" + "".join(rows) + "}"


def polynomial(x, coefficients):
    """c[0] + c[1] x + ... in Estrin's order, which keeps the chain of operations that wait for each other short."""
    if len(coefficients) == 1:
        return coefficients[0]
    half = 2 ** ((len(coefficients) - 1).bit_length() - 1)
    low, high = polynomial(x, coefficients[:half]), polynomial(x, coefficients[half:])
    return f"{low} + {x if half == 1 else f'{x}_{half}'} * " + (high if len(coefficients) - half == 1 else f"({high})")


def in_dtype(template, dtype, name):
    """The template with its constants, polynomials and prefix, in double or float."""
    def constant(match):
        key = match[1]
        if match[2] is None:
            value = CONSTANTS[dtype].get(key) or SHARED[key]
            return literal(float.fromhex(value), dtype) if value.lstrip("-").startswith("0x") else value
        coefficients = TABLES[key.removeprefix("POWERS_OF_")][dtype].split()
        if not key.startswith("POWERS_OF_"):
            return polynomial(match[2], [literal(float.fromhex(c), dtype) for c in coefficients])
        return "".join(", {0}_{1} = {0}_{2} * {0}_{2}".format(match[2], power, power // 2)
                       for power in (4, 8) if power < len(coefficients))

    code = re.sub(r"\$([A-Z][A-Z0-9_]*)(?:\(([a-z])\))?", constant, template)
    if dtype == "float32":
        comments = re.split(r"(/\*.*?\*/)", code, flags=re.DOTALL)
        code = "".join(part if part.startswith("/*") else as_float(part) for part in comments)
    return code.replace("NAME_", f"{name}_")


def as_float(code):
    code = re.sub(r"(?<![\w.])((?:\d+\.\d*(?:e[+-]?\d+)?)|\d+e[+-]?\d+)", r"\1f", code)
    code = re.sub(r"\b(exp|expm1|tanh|log1p|erfc|sin|cos|fabs)\(", r"\1f(", code)
    return re.sub(r"\bdouble\b", "float", code)
