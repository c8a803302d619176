/* One vector type and the operations that the kernels need, for SSE2, AVX2+FMA, AVX-512, NEON and plain C: chooses the
 * family's header and has what follows from it.
 *
 * Each kernel module is compiled for one instruction set and one dtype; setup.py defines
 *     FASTBP_LEVEL   0 baseline (SSE2 on x86-64, NEON on aarch64, plain C elsewhere), 3 x86-64-v3, 4 x86-64-v4
 *     FASTBP_DOUBLE  1 for float64, 0 for float32
 * and this header gives
 *     real, vec      the scalar and the vector of it        VLEN    lanes of a vec
 *     vmask          what a comparison returns              V_FMA   1 where v_fma rounds once, 0 where twice
 *     LANE           numbers in 128 bits, or 1 in plain C
 * The level is named by setup.py and not read from the compiler's target macros, so that a user's -march=native
 * cannot turn the baseline into something that other processors refuse.
 *
 * Which operation is which instruction. On x86-64 the names lack the last letter, by which the dtypes differ.
 *
 *   operation                    SSE2             AVX2              AVX-512           NEON          plain C
 *   ------------------------------------------------------------------------------------------------------------
 *   v_load(p)                    movup            vmovup            vmovup            ldr           *p
 *   v_load_bits(p)               movup            vmovup            vmovup            ldr           memcpy
 *   v_store(p, a)                movup            vmovup            vmovup            str           *p = a
 *   v_set1(x)                    shufp, unpcklp   vbroadcasts       vbroadcasts       dup           x
 *   v_add, v_sub(a, b)           addp, subp       vaddp, vsubp      vaddp, vsubp      fadd, fsub    +, -
 *   v_mul, v_div(a, b)           mulp, divp       vmulp, vdivp      vmulp, vdivp      fmul, fdiv    *, /
 *   v_sqrt(a)                    sqrtp            vsqrtp            vsqrtp            fsqrt         sqrt
 *   v_and, v_or(a, b)            andp, orp        vandp, vorp       vandp, vorp       and, orr      &, |
 *   v_xor(a, b)                  xorp             vxorp             vxorp             eor           ^
 *   v_andnot(a, b): ~a & b       andnp            vandnp            vandnp            bic           ~ &
 *   v_min, v_max(a, b)           minp, maxp       vminp, vmaxp      vminp, vmaxp      fcmgt, bsl    a < b ? a : b
 *   v_fma(a, b, c): a * b + c    mulp, addp       vfmaddp           vfmaddp           fmla          * +
 *   v_fnma(a, b, c): c - a * b   mulp, subp       vfnmaddp          vfnmaddp          fmls          * -
 *   v_lt, v_le(a, b)             cmpltp, cmplep   vcmpp             vcmpp             fcmgt, fcmge  <, <=
 *   v_any(m)                     movmskp          vmovmskp          kortest           umaxv         m
 *   v_all(m)                     movmskp          vmovmskp          cmp               uminv         m
 *   v_select(m, a, b): m ? a : b andp, andnp, orp vblendvp          vblendmp          bsl           ? :
 *   v_shift_left_mantissa(a)     psll             vpsll             vpsll             shl           <<
 *   v_sum(a)                     unpckhp, adds    vextractf128      vextractf64x4     faddp         a
 *   v_total(a, n)                shufp, addp      vshufp, vaddp     vshuff64x2        faddp         a
 *   v_lane_sums(s)               unpcklp, addp    vunpcklp, vaddp   vunpcklp, vaddp   faddp         s[0]
 *   v_join_sums(s)               s[0]             vperm2f128        vshuff64x2        s[0]          s[0]
 *   v_load_lanes(p, distance)    movup            vinsertf128       vinsertf64x4      ldr           *p
 *   v_load_each(p, step, at)     movup            vinsertf128       vinsertf64x4      ldr           p[0][at]
 *   v_transpose_lanes(r)         unpcklp, shufp   vunpcklp, vshufp  vunpcklp, vshufp  trn1, trn2    r
 *   v_load_first(p, n)           lane by lane     vmaskmovp         vmovup, masked    lane by lane  lane by lane
 *   v_leave()                                     vzeroupper        vzeroupper
 *
 * Where an operation takes several instructions, the table has the main ones. What the names do not say:
 *     v_min, v_max(a, b)         b where an operand is NaN or both are zeros, so v_max(constant, x) passes on a NaN in x
 *     v_total(a, n)              in the first n lanes: the sum of a, all of whose lanes from n on are zero
 *     v_lane_sums(s)             within each 128 bits: the sums of LANE vectors, one beside the other
 *     v_join_sums(s)             of such sums, for all VLEN / LANE groups of vectors: the sum of vector k in lane k
 *     v_load_lanes(p, distance)  128 bits from each of p, p + distance, ...
 *     v_load_each(p, step, at)   128 bits from each of p[0] + at, p[step] + at, ...
 *     v_transpose_lanes(r)       in each 128 bits of LANE vectors, number k of r[q] becomes number q of r[k]
 *     v_load_first(p, n)         p[0] .. p[n - 1], as many as there are lanes, then zeros; nothing beyond them is read
 *     v_leave()                  clears the registers' upper halves before code of another level runs
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
/* Adding this to a small x leaves round(x), ties to even, in the low bits of the sum. */
#define ROUND_MAGIC PICK(0x1.8p+52, 0x1.8p+23f)

typedef PICK(uint64_t, uint32_t) real_bits;

#if defined(__x86_64__) || defined(_M_X64)
#include "simd_x86.h"
#elif defined(__aarch64__) || defined(_M_ARM64)
#include "simd_neon.h"
#else
#include "simd_scalar.h"
#endif

/* ---------------------------------------------------------------- what follows from the above */
#define VLEN (V_BYTES / (int)sizeof(real))

/* All ones in the first n lanes, 0 <= n <= VLEN. */
FORCE_INLINE vec v_first_lanes(ptrdiff_t n)
{
    static const real_bits ones_then_zeros[32] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    return v_load_bits(ones_then_zeros + (16 - n));
}

FORCE_INLINE vec v_load_first(const real *p, ptrdiff_t n)
{
    if (n >= VLEN) return v_load(p);
#ifdef V_MASKED_LOAD
    return V_MASKED_LOAD(p, n);
#else
    real lanes[VLEN];
    UNROLL for (int k = 0; k < VLEN; k++)
        lanes[k] = k < n ? p[k] : 0;
    return v_load(lanes);
#endif
}

/* Of an array s of VLEN vectors: the sum of s[k] in lane k. */
FORCE_INLINE vec v_sums(const vec *s)
{
    vec sums[VLEN / LANE];
    UNROLL for (int k = 0; k < VLEN / LANE; k++)
        sums[k] = v_lane_sums(s + k * LANE);
    return v_join_sums(sums);
}

FORCE_INLINE vec v_zero(void) { return v_set1(0); }
FORCE_INLINE vec v_abs(vec a) { return v_andnot(v_set1((real)-0.0), a); }
FORCE_INLINE vec v_neg(vec a) { return v_xor(v_set1((real)-0.0), a); }
/* The magnitude of a with the sign of b. */
FORCE_INLINE vec v_copysign(vec a, vec b) { return v_or(v_abs(a), v_and(v_set1((real)-0.0), b)); }
/* Nearest integer, ties to even, for |a| < 2**(MANTISSA_BITS - 2). */
FORCE_INLINE vec v_round(vec a) { return v_sub(v_add(a, v_set1(ROUND_MAGIC)), v_set1(ROUND_MAGIC)); }
/* The largest power of two that is not above a normal a: its exponent bits, which are those of infinity. */
FORCE_INLINE vec v_power_below(vec a) { return v_and(v_set1((real)INFINITY), a); }
/* 2**n for an integral n of a normal number's range: n + bias stands in the sum's low bits; shift it up. */
FORCE_INLINE vec v_pow2(vec n) { return v_shift_left_mantissa(v_add(n, v_set1(ROUND_MAGIC + EXPONENT_BIAS))); }

#endif
