/* aarch64: NEON, whose vectors are as wide as SSE2's. */
#ifndef FASTBP_SIMD_NEON_H
#define FASTBP_SIMD_NEON_H

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
FORCE_INLINE vec v_load_bits(const real_bits *p) { return UNBITS(BIT_OP(ld1)(p)); }
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
/* Not vminq and vmaxq, which take +0 for the larger zero: gelu lost the sign of -0.0 by it. */
FORCE_INLINE vec v_min(vec a, vec b) { return OP(bsl)(OP(clt)(a, b), a, b); }
FORCE_INLINE vec v_max(vec a, vec b) { return OP(bsl)(OP(cgt)(a, b), a, b); }
FORCE_INLINE vec v_fma(vec a, vec b, vec c) { return OP(fma)(c, a, b); }  /* a * b + c */
FORCE_INLINE vec v_fnma(vec a, vec b, vec c) { return OP(fms)(c, a, b); } /* c - a * b */
FORCE_INLINE vmask v_lt(vec a, vec b) { return OP(clt)(a, b); }
FORCE_INLINE vmask v_le(vec a, vec b) { return OP(cle)(a, b); }
FORCE_INLINE int v_any(vmask m) { return vmaxvq_u32(PICK(vreinterpretq_u32_u64, )(m)) != 0; }
FORCE_INLINE int v_all(vmask m) { return vminvq_u32(PICK(vreinterpretq_u32_u64, )(m)) != 0; }
FORCE_INLINE vec v_select(vmask m, vec a, vec b) { return OP(bsl)(m, a, b); }
FORCE_INLINE real v_sum(vec a) { return PICK(vaddvq_f64, vaddvq_f32)(a); }
FORCE_INLINE vec v_total(vec a, ptrdiff_t n)
{
    (void)n;
    a = OP(padd)(a, a);
    return PICK(a, OP(padd)(a, a));
}
FORCE_INLINE vec v_lane_sums(const vec *s)
{
    return PICK(OP(padd)(s[0], s[1]), OP(padd)(OP(padd)(s[0], s[1]), OP(padd)(s[2], s[3])));
}
FORCE_INLINE vec v_join_sums(const vec *s) { return s[0]; }
#define LANE PICK(2, 4)
FORCE_INLINE vec v_load_lanes(const real *p, ptrdiff_t distance) { (void)distance; return v_load(p); }
FORCE_INLINE vec v_load_each(const real *const *p, ptrdiff_t step, ptrdiff_t at) { (void)step; return v_load(p[0] + at); }
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
FORCE_INLINE void v_leave(void) {}

#endif
