/* One vector type and the operations that the kernels need, for SSE2, AVX2+FMA, AVX-512, NEON and plain C.
 *
 * Each kernel module is compiled for one instruction set and one dtype; setup.py defines
 *     FASTBP_LEVEL   0 baseline (SSE2 on x86-64, NEON on aarch64, plain C elsewhere), 3 x86-64-v3, 4 x86-64-v4
 *     FASTBP_DOUBLE  1 for float64, 0 for float32
 * and this header gives
 *     real, vec      the scalar and the vector of it        VLEN    lanes of a vec
 *     vmask          what a comparison returns              V_FMA   1 where v_fma rounds once, 0 where twice
 *     v_sum_first(a, n)   the sum of a, all of whose lanes from n on are zero
 *     v_sums(s)      of an array s of VLEN vectors: the sum of s[k] in lane k
 *     v_leave()      clears the registers' upper halves before code of another level runs
 * The level is named by setup.py and not read from the compiler's target macros, so that a user's -march=native
 * cannot turn the baseline into something that other processors refuse.
 */
#ifndef FASTBP_SIMD_H
#define FASTBP_SIMD_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if !defined(FASTBP_LEVEL) || !defined(FASTBP_DOUBLE)
#error "FASTBP_LEVEL and FASTBP_DOUBLE come from setup.py"
#endif

#if defined(_MSC_VER) && !defined(__clang__)
#define FORCE_INLINE static __forceinline
#define NO_INLINE static __declspec(noinline)
#define UNROLL
#else
#define FORCE_INLINE static inline __attribute__((always_inline, unused))
#define NO_INLINE static __attribute__((noinline))
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* What the core guarantees and the loops rely on; checked in the FASTBP_DEBUG build only. */
#ifdef FASTBP_DEBUG
#include <stdio.h>
#include <stdlib.h>
#define REQUIRE(condition) \
    ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition), abort()))
#else
#define REQUIRE(condition) ((void)0)
#endif

/* PICK chooses between the float64 and the float32 spelling; PASTE builds an intrinsic's name. */
#if FASTBP_DOUBLE
#define PICK(f64, f32) f64
#else
#define PICK(f64, f32) f32
#endif
#define PASTE_(a, b, c) a##b##c
#define PASTE(a, b, c) PASTE_(a, b, c)

typedef PICK(double, float) real;
#define MANTISSA_BITS PICK(52, 23)
#define EXPONENT_BIAS PICK(1023, 127)
/* An update below this keeps every finite parameter finite: half an ulp of the largest number is 2**970 (2**103),
 * and the rest leaves room for what an optimizer's momentum adds up. */
#define SAFE_UPDATE PICK(0x1p+960, 0x1p+96f)
#define LEAST_NORMAL PICK(0x1p-1022, 0x1p-126f)
#define LARGEST PICK(0x1.fffffffffffffp+1023, 0x1.fffffep+127f)
/* Adding this to a small x leaves round(x), ties to even, in the low bits of the sum. */
#define ROUND_MAGIC PICK(0x1.8p+52, 0x1.8p+23f)

#if defined(__x86_64__) || defined(_M_X64)
/* ---------------------------------------------------------------- x86-64: three widths, mostly one spelling */
#include <immintrin.h>

#if FASTBP_LEVEL == 4
#define V_BYTES 64
#define V_FMA 1
typedef PICK(__m512d, __m512) vec;
typedef PICK(__mmask8, __mmask16) vmask;
#define OP(name) PASTE(_mm512_, name, PICK(_pd, _ps))
#elif FASTBP_LEVEL == 3
#define V_BYTES 32
#define V_FMA 1
typedef PICK(__m256d, __m256) vec;
typedef vec vmask;
#define OP(name) PASTE(_mm256_, name, PICK(_pd, _ps))
#else
#define V_BYTES 16
#define V_FMA 0
typedef PICK(__m128d, __m128) vec;
typedef vec vmask;
#define OP(name) PASTE(_mm_, name, PICK(_pd, _ps))
#endif

FORCE_INLINE vec v_load(const real *p) { return OP(loadu)(p); }
FORCE_INLINE void v_store(real *p, vec a) { OP(storeu)(p, a); }
FORCE_INLINE vec v_set1(real x) { return OP(set1)(x); }
FORCE_INLINE vec v_add(vec a, vec b) { return OP(add)(a, b); }
FORCE_INLINE vec v_sub(vec a, vec b) { return OP(sub)(a, b); }
FORCE_INLINE vec v_mul(vec a, vec b) { return OP(mul)(a, b); }
FORCE_INLINE vec v_div(vec a, vec b) { return OP(div)(a, b); }
FORCE_INLINE vec v_sqrt(vec a) { return OP(sqrt)(a); }
FORCE_INLINE vec v_and(vec a, vec b) { return OP(and)(a, b); }
FORCE_INLINE vec v_or(vec a, vec b) { return OP(or)(a, b); }
FORCE_INLINE vec v_xor(vec a, vec b) { return OP(xor)(a, b); }
FORCE_INLINE vec v_andnot(vec a, vec b) { return OP(andnot)(a, b); } /* ~a & b */
/* Where an operand is NaN or both are zeros the result is b: v_max(constant, x) lets a NaN in x through. */
FORCE_INLINE vec v_min(vec a, vec b) { return OP(min)(a, b); }
FORCE_INLINE vec v_max(vec a, vec b) { return OP(max)(a, b); }

#if V_FMA
FORCE_INLINE vec v_fma(vec a, vec b, vec c) { return OP(fmadd)(a, b, c); }   /* a * b + c */
FORCE_INLINE vec v_fnma(vec a, vec b, vec c) { return OP(fnmadd)(a, b, c); } /* c - a * b */
#else
FORCE_INLINE vec v_fma(vec a, vec b, vec c) { return v_add(v_mul(a, b), c); }
FORCE_INLINE vec v_fnma(vec a, vec b, vec c) { return v_sub(c, v_mul(a, b)); }
#endif

/* A lane is 128 bits, of LANE numbers. Lane k of v_load_lanes(p, distance) is read from p + k * distance on. */
#define LANE PICK(2, 4)
#if FASTBP_LEVEL > 0
FORCE_INLINE PICK(__m256d, __m256) load_two_lanes(const real *p, ptrdiff_t distance)
{
    return PASTE(_mm256_insertf128, PICK(_pd, _ps), )(PASTE(_mm256_castp, PICK(d128_pd256, s128_ps256), )(
        PICK(_mm_loadu_pd, _mm_loadu_ps)(p)), PICK(_mm_loadu_pd, _mm_loadu_ps)(p + distance), 1);
}
#endif
FORCE_INLINE vec v_load_lanes(const real *p, ptrdiff_t distance)
{
#if FASTBP_LEVEL == 4
    return PASTE(_mm512_insertf, PICK(64x4, 32x8), )(
        PASTE(_mm512_castp, PICK(d256_pd512, s256_ps512), )(load_two_lanes(p, distance)),
        load_two_lanes(p + 2 * distance, distance), 1);
#elif FASTBP_LEVEL == 3
    return load_two_lanes(p, distance);
#else
    (void)distance;
    return v_load(p);
#endif
}
/* In each lane, number k of r[q] becomes number q of r[k]. */
FORCE_INLINE void v_transpose_lanes(vec *r)
{
#if FASTBP_DOUBLE
    const vec low = OP(unpacklo)(r[0], r[1]);
    r[1] = OP(unpackhi)(r[0], r[1]);
    r[0] = low;
#else
    const vec low01 = OP(unpacklo)(r[0], r[1]), high01 = OP(unpackhi)(r[0], r[1]);
    const vec low23 = OP(unpacklo)(r[2], r[3]), high23 = OP(unpackhi)(r[2], r[3]);
    r[0] = OP(shuffle)(low01, low23, 0x44);
    r[1] = OP(shuffle)(low01, low23, 0xee);
    r[2] = OP(shuffle)(high01, high23, 0x44);
    r[3] = OP(shuffle)(high01, high23, 0xee);
#endif
}

/* Within each 128 bits: the sums of the four (float64: two) vectors from s on, one beside the other. */
FORCE_INLINE vec v_lane_sums(const vec *s)
{
#if FASTBP_DOUBLE
    return v_add(OP(unpacklo)(s[0], s[1]), OP(unpackhi)(s[0], s[1]));
#else
    const vec low = v_add(OP(unpacklo)(s[0], s[1]), OP(unpackhi)(s[0], s[1]));
    const vec high = v_add(OP(unpacklo)(s[2], s[3]), OP(unpackhi)(s[2], s[3]));
    return v_add(OP(shuffle)(low, high, 0x44), OP(shuffle)(low, high, 0xee));
#endif
}

/* The sum of the first n lanes of 128 bits; the others are zeros. */
FORCE_INLINE real v_sum128(PICK(__m128d, __m128) a, ptrdiff_t n)
{
#if FASTBP_DOUBLE
    return n > 1 ? _mm_cvtsd_f64(_mm_add_sd(a, _mm_unpackhi_pd(a, a))) : _mm_cvtsd_f64(a);
#else
    if (n > 2) a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_shuffle_ps(a, a, 1)));
#endif
}

#if FASTBP_LEVEL == 4
#define OP_COMPARE PICK(_mm512_cmp_pd_mask, _mm512_cmp_ps_mask)
FORCE_INLINE vmask v_lt(vec a, vec b) { return OP_COMPARE(a, b, _CMP_LT_OQ); }
FORCE_INLINE vmask v_le(vec a, vec b) { return OP_COMPARE(a, b, _CMP_LE_OQ); }
FORCE_INLINE int v_any(vmask m) { return m != 0; }
FORCE_INLINE vec v_select(vmask m, vec a, vec b) { return OP(mask_blend)(m, b, a); }
FORCE_INLINE real v_sum(vec a) { return OP(reduce_add)(a); }
FORCE_INLINE real v_sum_first(vec a, ptrdiff_t n)
{
    return n > LANE ? v_sum(a) : v_sum128(PICK(_mm512_castpd512_pd128, _mm512_castps512_ps128)(a), n);
}
/* a's 128-bit lanes added in pairs, then b's. */
FORCE_INLINE vec v_pairs(vec a, vec b)
{
    return v_add(PASTE(_mm512_shuffle_, PICK(f64x2, f32x4), )(a, b, 0x88),
                 PASTE(_mm512_shuffle_, PICK(f64x2, f32x4), )(a, b, 0xdd));
}
FORCE_INLINE vec v_sums(const vec *s)
{
    return v_pairs(v_pairs(v_lane_sums(s), v_lane_sums(s + LANE)),
                   v_pairs(v_lane_sums(s + 2 * LANE), v_lane_sums(s + 3 * LANE)));
}
FORCE_INLINE vec v_shift_left_mantissa(vec a)
{
    return PICK(_mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(a), 52)),
                _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a), 23)));
}
#else
FORCE_INLINE int v_any(vmask m) { return OP(movemask)(m) != 0; }
#if FASTBP_LEVEL == 3
FORCE_INLINE vmask v_lt(vec a, vec b) { return OP(cmp)(a, b, _CMP_LT_OQ); }
FORCE_INLINE vmask v_le(vec a, vec b) { return OP(cmp)(a, b, _CMP_LE_OQ); }
FORCE_INLINE vec v_select(vmask m, vec a, vec b) { return OP(blendv)(b, a, m); }
FORCE_INLINE real v_sum_first(vec a, ptrdiff_t n)
{
    PICK(__m128d, __m128) low = PICK(_mm256_castpd256_pd128, _mm256_castps256_ps128)(a);
    if (n > LANE) low = PICK(_mm_add_pd, _mm_add_ps)(low, PICK(_mm256_extractf128_pd, _mm256_extractf128_ps)(a, 1));
    return v_sum128(low, n);
}
FORCE_INLINE real v_sum(vec a) { return v_sum_first(a, 2 * LANE); }
FORCE_INLINE vec v_sums(const vec *s)
{
    const vec a = v_lane_sums(s), b = v_lane_sums(s + LANE);
    return v_add(OP(permute2f128)(a, b, 0x20), OP(permute2f128)(a, b, 0x31));
}
FORCE_INLINE vec v_shift_left_mantissa(vec a)
{
    return PICK(_mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(a), 52)),
                _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a), 23)));
}
#else
FORCE_INLINE vmask v_lt(vec a, vec b) { return OP(cmplt)(a, b); }
FORCE_INLINE vmask v_le(vec a, vec b) { return OP(cmple)(a, b); }
FORCE_INLINE vec v_select(vmask m, vec a, vec b) { return v_or(v_and(m, a), v_andnot(m, b)); }
FORCE_INLINE real v_sum_first(vec a, ptrdiff_t n) { return v_sum128(a, n); }
FORCE_INLINE real v_sum(vec a) { return v_sum128(a, LANE); }
FORCE_INLINE vec v_sums(const vec *s) { return v_lane_sums(s); }
FORCE_INLINE vec v_shift_left_mantissa(vec a)
{
    return PICK(_mm_castsi128_pd(_mm_slli_epi64(_mm_castpd_si128(a), 52)),
                _mm_castsi128_ps(_mm_slli_epi32(_mm_castps_si128(a), 23)));
}
#endif
#endif

#elif defined(__aarch64__) || defined(_M_ARM64)
/* ---------------------------------------------------------------- NEON */
#include <arm_neon.h>
#define V_BYTES 16
#define V_FMA 1
typedef PICK(float64x2_t, float32x4_t) vec;
typedef PICK(uint64x2_t, uint32x4_t) vmask;
#define OP(name) PASTE(v, name, PICK(q_f64, q_f32))
#define BITS(a) PICK(vreinterpretq_u64_f64, vreinterpretq_u32_f32)(a)
#define UNBITS(a) PICK(vreinterpretq_f64_u64, vreinterpretq_f32_u32)(a)
#define BIT_OP(name) PASTE(v, name, PICK(q_u64, q_u32))

FORCE_INLINE vec v_load(const real *p) { return OP(ld1)(p); }
FORCE_INLINE void v_store(real *p, vec a) { OP(st1)(p, a); }
FORCE_INLINE vec v_set1(real x) { return PICK(vdupq_n_f64, vdupq_n_f32)(x); }
FORCE_INLINE vec v_add(vec a, vec b) { return OP(add)(a, b); }
FORCE_INLINE vec v_sub(vec a, vec b) { return OP(sub)(a, b); }
FORCE_INLINE vec v_mul(vec a, vec b) { return OP(mul)(a, b); }
FORCE_INLINE vec v_div(vec a, vec b) { return OP(div)(a, b); }
FORCE_INLINE vec v_sqrt(vec a) { return OP(sqrt)(a); }
FORCE_INLINE vec v_and(vec a, vec b) { return UNBITS(BIT_OP(and)(BITS(a), BITS(b))); }
FORCE_INLINE vec v_or(vec a, vec b) { return UNBITS(BIT_OP(orr)(BITS(a), BITS(b))); }
FORCE_INLINE vec v_xor(vec a, vec b) { return UNBITS(BIT_OP(eor)(BITS(a), BITS(b))); }
FORCE_INLINE vec v_andnot(vec a, vec b) { return UNBITS(BIT_OP(bic)(BITS(b), BITS(a))); } /* ~a & b */
/* b where an operand is NaN or both are zeros, as on x86-64: vmaxq takes +0 for the larger zero, and gelu lost the sign
 * of -0.0 by it. */
FORCE_INLINE vec v_min(vec a, vec b) { return OP(bsl)(OP(clt)(a, b), a, b); }
FORCE_INLINE vec v_max(vec a, vec b) { return OP(bsl)(OP(cgt)(a, b), a, b); }
FORCE_INLINE vec v_fma(vec a, vec b, vec c) { return OP(fma)(c, a, b); }  /* a * b + c */
FORCE_INLINE vec v_fnma(vec a, vec b, vec c) { return OP(fms)(c, a, b); } /* c - a * b */
FORCE_INLINE vmask v_lt(vec a, vec b) { return OP(clt)(a, b); }
FORCE_INLINE vmask v_le(vec a, vec b) { return OP(cle)(a, b); }
FORCE_INLINE int v_any(vmask m) { return vmaxvq_u32(PICK(vreinterpretq_u32_u64, )(m)) != 0; }
FORCE_INLINE vec v_select(vmask m, vec a, vec b) { return OP(bsl)(m, a, b); }
FORCE_INLINE real v_sum(vec a) { return PICK(vaddvq_f64, vaddvq_f32)(a); }
FORCE_INLINE real v_sum_first(vec a, ptrdiff_t n) { (void)n; return v_sum(a); }
FORCE_INLINE vec v_sums(const vec *s)
{
    return PICK(OP(padd)(s[0], s[1]), OP(padd)(OP(padd)(s[0], s[1]), OP(padd)(s[2], s[3])));
}
#define LANE PICK(2, 4)
FORCE_INLINE vec v_load_lanes(const real *p, ptrdiff_t distance) { (void)distance; return v_load(p); }
FORCE_INLINE void v_transpose_lanes(vec *r)
{
#if FASTBP_DOUBLE
    const vec low = vtrn1q_f64(r[0], r[1]);
    r[1] = vtrn2q_f64(r[0], r[1]);
    r[0] = low;
#else
    const vec even01 = vtrn1q_f32(r[0], r[1]), odd01 = vtrn2q_f32(r[0], r[1]);
    const vec even23 = vtrn1q_f32(r[2], r[3]), odd23 = vtrn2q_f32(r[2], r[3]);
    r[0] = vcombine_f32(vget_low_f32(even01), vget_low_f32(even23));
    r[1] = vcombine_f32(vget_low_f32(odd01), vget_low_f32(odd23));
    r[2] = vcombine_f32(vget_high_f32(even01), vget_high_f32(even23));
    r[3] = vcombine_f32(vget_high_f32(odd01), vget_high_f32(odd23));
#endif
}
FORCE_INLINE vec v_shift_left_mantissa(vec a)
{
    return UNBITS(PICK(vshlq_n_u64, vshlq_n_u32)(BITS(a), MANTISSA_BITS));
}

#else
/* ---------------------------------------------------------------- plain C: one lane */
#define V_BYTES ((int)sizeof(real))
#define V_FMA 0
typedef real vec;
typedef int vmask;
typedef PICK(uint64_t, uint32_t) bits_t;
FORCE_INLINE bits_t to_bits(vec a) { bits_t u; memcpy(&u, &a, sizeof u); return u; }
FORCE_INLINE vec from_bits(bits_t u) { vec a; memcpy(&a, &u, sizeof a); return a; }

FORCE_INLINE vec v_load(const real *p) { return *p; }
FORCE_INLINE void v_store(real *p, vec a) { *p = a; }
FORCE_INLINE vec v_set1(real x) { return x; }
FORCE_INLINE vec v_add(vec a, vec b) { return a + b; }
FORCE_INLINE vec v_sub(vec a, vec b) { return a - b; }
FORCE_INLINE vec v_mul(vec a, vec b) { return a * b; }
FORCE_INLINE vec v_div(vec a, vec b) { return a / b; }
FORCE_INLINE vec v_sqrt(vec a) { return PICK(sqrt, sqrtf)(a); }
FORCE_INLINE vec v_and(vec a, vec b) { return from_bits(to_bits(a) & to_bits(b)); }
FORCE_INLINE vec v_or(vec a, vec b) { return from_bits(to_bits(a) | to_bits(b)); }
FORCE_INLINE vec v_xor(vec a, vec b) { return from_bits(to_bits(a) ^ to_bits(b)); }
FORCE_INLINE vec v_andnot(vec a, vec b) { return from_bits(~to_bits(a) & to_bits(b)); }
FORCE_INLINE vec v_min(vec a, vec b) { return a < b ? a : b; }
FORCE_INLINE vec v_max(vec a, vec b) { return a > b ? a : b; }
FORCE_INLINE vec v_fma(vec a, vec b, vec c) { return a * b + c; }
FORCE_INLINE vec v_fnma(vec a, vec b, vec c) { return c - a * b; }
FORCE_INLINE vmask v_lt(vec a, vec b) { return a < b; }
FORCE_INLINE vmask v_le(vec a, vec b) { return a <= b; }
FORCE_INLINE int v_any(vmask m) { return m; }
FORCE_INLINE vec v_select(vmask m, vec a, vec b) { return m ? a : b; }
FORCE_INLINE real v_sum(vec a) { return a; }
FORCE_INLINE real v_sum_first(vec a, ptrdiff_t n) { (void)n; return a; }
FORCE_INLINE vec v_sums(const vec *s) { return s[0]; }
#define LANE 1
FORCE_INLINE vec v_load_lanes(const real *p, ptrdiff_t distance) { (void)distance; return v_load(p); }
FORCE_INLINE void v_transpose_lanes(vec *r) { (void)r; }
FORCE_INLINE vec v_shift_left_mantissa(vec a) { return from_bits(to_bits(a) << MANTISSA_BITS); }
#endif

/* ---------------------------------------------------------------- what follows from the above */
#define VLEN (V_BYTES / (int)sizeof(real))

/* gcc 12 does this at the end of a function, but forgets it behind a call that was given a vector. Then every switch to
 * the interpreter's SSE code and back costs some 50 ns on Intel's processors. */
FORCE_INLINE void v_leave(void)
{
#if FASTBP_LEVEL > 0
    _mm256_zeroupper();
#endif
}

/* All ones in the first n lanes, 0 <= n <= VLEN. */
FORCE_INLINE vec v_first_lanes(ptrdiff_t n)
{
    static const PICK(int64_t, int32_t) ones_then_zeros[32] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                               -1, -1, -1, -1, -1, -1, -1, -1};
    return v_load((const real *)ones_then_zeros + (16 - n));
}

/* p[0] .. p[n - 1], as many as there are lanes, then zeros; nothing beyond them is read. */
FORCE_INLINE vec v_load_first(const real *p, ptrdiff_t n)
{
    if (n >= VLEN) return v_load(p);
#if FASTBP_LEVEL == 4
    return OP(maskz_loadu)((vmask)((1u << n) - 1), p);
#elif FASTBP_LEVEL == 3
    return OP(maskload)(p, PICK(_mm256_castpd_si256, _mm256_castps_si256)(v_first_lanes(n)));
#else
    real lanes[VLEN];
    UNROLL for (int k = 0; k < VLEN; k++)
        lanes[k] = k < n ? p[k] : 0;
    return v_load(lanes);
#endif
}

FORCE_INLINE vec v_zero(void) { return v_set1(0); }
FORCE_INLINE vec v_abs(vec a) { return v_andnot(v_set1((real)-0.0), a); }
FORCE_INLINE vec v_neg(vec a) { return v_xor(v_set1((real)-0.0), a); }
/* The magnitude of a with the sign of b. */
FORCE_INLINE vec v_copysign(vec a, vec b) { return v_or(v_abs(a), v_and(v_set1((real)-0.0), b)); }
/* Nearest integer, ties to even, for |a| < 2**(MANTISSA_BITS - 2). */
FORCE_INLINE vec v_round(vec a) { return v_sub(v_add(a, v_set1(ROUND_MAGIC)), v_set1(ROUND_MAGIC)); }
/* 2**n for an integral n of a normal number's range: n + bias stands in the sum's low bits; shift it up. */
FORCE_INLINE vec v_pow2(vec n) { return v_shift_left_mantissa(v_add(n, v_set1(ROUND_MAGIC + EXPONENT_BIAS))); }

#endif
