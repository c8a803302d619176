/* x86-64: three widths, mostly one spelling. */
#ifndef FASTBP_SIMD_X86_H
#define FASTBP_SIMD_X86_H

#include <immintrin.h>

#if FASTBP_LEVEL == 4
#define V_BYTES 64
#define V_FMA 1
typedef PICK(__m512d, __m512) vec;
typedef PICK(__mmask8, __mmask16) vmask;
#define OP(name) PASTE(_mm512_, name, PICK(_pd, _ps))
#define V_MASKED_LOAD(p, n) OP(maskz_loadu)((vmask)((1u << (n)) - 1), p)
#elif FASTBP_LEVEL == 3
#define V_BYTES 32
#define V_FMA 1
typedef PICK(__m256d, __m256) vec;
typedef vec vmask;
#define OP(name) PASTE(_mm256_, name, PICK(_pd, _ps))
#define V_MASKED_LOAD(p, n) OP(maskload)(p, PICK(_mm256_castpd_si256, _mm256_castps_si256)(v_first_lanes(n)))
#else
#define V_BYTES 16
#define V_FMA 0
typedef PICK(__m128d, __m128) vec;
typedef vec vmask;
#define OP(name) PASTE(_mm_, name, PICK(_pd, _ps))
#endif

FORCE_INLINE vec v_load(const real *p) { return OP(loadu)(p); }
/* These loads may alias numbers of any type. */
FORCE_INLINE vec v_load_bits(const real_bits *p) { return v_load((const real *)p); }
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
FORCE_INLINE vec v_min(vec a, vec b) { return OP(min)(a, b); }
FORCE_INLINE vec v_max(vec a, vec b) { return OP(max)(a, b); }

#if V_FMA
FORCE_INLINE vec v_fma(vec a, vec b, vec c) { return OP(fmadd)(a, b, c); }   /* a * b + c */
FORCE_INLINE vec v_fnma(vec a, vec b, vec c) { return OP(fnmadd)(a, b, c); } /* c - a * b */
#else
FORCE_INLINE vec v_fma(vec a, vec b, vec c) { return v_add(v_mul(a, b), c); }
FORCE_INLINE vec v_fnma(vec a, vec b, vec c) { return v_sub(c, v_mul(a, b)); }
#endif

#define LANE PICK(2, 4)
#if FASTBP_LEVEL > 0
FORCE_INLINE PICK(__m256d, __m256) load_two_lanes(const real *p, const real *q)
{
    return PASTE(_mm256_insertf128, PICK(_pd, _ps), )(PASTE(_mm256_castp, PICK(d128_pd256, s128_ps256), )(
        PICK(_mm_loadu_pd, _mm_loadu_ps)(p)), PICK(_mm_loadu_pd, _mm_loadu_ps)(q), 1);
}
#endif
FORCE_INLINE vec v_load_each(const real *const *p, ptrdiff_t step, ptrdiff_t at)
{
#if FASTBP_LEVEL == 4
    return PASTE(_mm512_insertf, PICK(64x4, 32x8), )(
        PASTE(_mm512_castp, PICK(d256_pd512, s256_ps512), )(load_two_lanes(p[0] + at, p[step] + at)),
        load_two_lanes(p[2 * step] + at, p[3 * step] + at), 1);
#elif FASTBP_LEVEL == 3
    return load_two_lanes(p[0] + at, p[step] + at);
#else
    (void)step;
    return v_load(p[0] + at);
#endif
}
FORCE_INLINE vec v_load_lanes(const real *p, ptrdiff_t distance)
{
#if FASTBP_LEVEL == 4
    const real *const at[] = {p, p + distance, p + 2 * distance, p + 3 * distance};
    return v_load_each(at, 1, 0);
#elif FASTBP_LEVEL == 3
    return load_two_lanes(p, p + distance);
#else
    (void)distance;
    return v_load(p);
#endif
}
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

FORCE_INLINE real v_sum128(PICK(__m128d, __m128) a)
{
#if FASTBP_DOUBLE
    return _mm_cvtsd_f64(_mm_add_sd(a, _mm_unpackhi_pd(a, a)));
#else
    a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_shuffle_ps(a, a, 1)));
#endif
}
/* v_total within each 128 bits. */
FORCE_INLINE vec v_lane_total(vec a, ptrdiff_t n)
{
#if FASTBP_DOUBLE
    (void)n;
    return v_add(OP(unpacklo)(a, a), OP(unpackhi)(a, a));
#else
    if (n > 2) a = v_add(a, OP(shuffle)(a, a, 0x4e));
    return v_add(a, OP(shuffle)(a, a, 0xb1));
#endif
}

#if FASTBP_LEVEL == 4
#define OP_COMPARE PICK(_mm512_cmp_pd_mask, _mm512_cmp_ps_mask)
FORCE_INLINE vmask v_lt(vec a, vec b) { return OP_COMPARE(a, b, _CMP_LT_OQ); }
FORCE_INLINE vmask v_le(vec a, vec b) { return OP_COMPARE(a, b, _CMP_LE_OQ); }
FORCE_INLINE int v_any(vmask m) { return m != 0; }
FORCE_INLINE vec v_select(vmask m, vec a, vec b) { return OP(mask_blend)(m, b, a); }
FORCE_INLINE real v_sum(vec a) { return OP(reduce_add)(a); }
FORCE_INLINE int v_all(vmask m) { return m == (vmask)((1u << V_BYTES / sizeof(real)) - 1); }
FORCE_INLINE vec v_total(vec a, ptrdiff_t n)
{
    if (n > LANE) {
        a = v_add(a, PASTE(_mm512_shuffle_, PICK(f64x2, f32x4), )(a, a, 0x4e));
        a = v_add(a, PASTE(_mm512_shuffle_, PICK(f64x2, f32x4), )(a, a, 0xb1));
    }
    return v_lane_total(a, n);
}
/* a's 128-bit lanes added in pairs, then b's. */
FORCE_INLINE vec v_pairs(vec a, vec b)
{
    return v_add(PASTE(_mm512_shuffle_, PICK(f64x2, f32x4), )(a, b, 0x88),
                 PASTE(_mm512_shuffle_, PICK(f64x2, f32x4), )(a, b, 0xdd));
}
FORCE_INLINE vec v_join_sums(const vec *s) { return v_pairs(v_pairs(s[0], s[1]), v_pairs(s[2], s[3])); }
FORCE_INLINE vec v_shift_left_mantissa(vec a)
{
    return PICK(_mm512_castsi512_pd(_mm512_slli_epi64(_mm512_castpd_si512(a), 52)),
                _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a), 23)));
}
#else
FORCE_INLINE int v_any(vmask m) { return OP(movemask)(m) != 0; }
FORCE_INLINE int v_all(vmask m) { return OP(movemask)(m) == (1 << V_BYTES / sizeof(real)) - 1; }
#if FASTBP_LEVEL == 3
FORCE_INLINE vmask v_lt(vec a, vec b) { return OP(cmp)(a, b, _CMP_LT_OQ); }
FORCE_INLINE vmask v_le(vec a, vec b) { return OP(cmp)(a, b, _CMP_LE_OQ); }
FORCE_INLINE vec v_select(vmask m, vec a, vec b) { return OP(blendv)(b, a, m); }
FORCE_INLINE real v_sum(vec a)
{
    return v_sum128(PICK(_mm_add_pd, _mm_add_ps)(PICK(_mm256_castpd256_pd128, _mm256_castps256_ps128)(a),
                                                 PICK(_mm256_extractf128_pd, _mm256_extractf128_ps)(a, 1)));
}
FORCE_INLINE vec v_total(vec a, ptrdiff_t n)
{
    if (n > LANE) a = v_add(a, OP(permute2f128)(a, a, 0x01));
    return v_lane_total(a, n);
}
FORCE_INLINE vec v_join_sums(const vec *s)
{
    return v_add(OP(permute2f128)(s[0], s[1], 0x20), OP(permute2f128)(s[0], s[1], 0x31));
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
FORCE_INLINE real v_sum(vec a) { return v_sum128(a); }
FORCE_INLINE vec v_total(vec a, ptrdiff_t n) { return v_lane_total(a, n); }
FORCE_INLINE vec v_join_sums(const vec *s) { return s[0]; }
FORCE_INLINE vec v_shift_left_mantissa(vec a)
{
    return PICK(_mm_castsi128_pd(_mm_slli_epi64(_mm_castpd_si128(a), 52)),
                _mm_castsi128_ps(_mm_slli_epi32(_mm_castps_si128(a), 23)));
}
#endif
#endif

/* gcc 12 does this at the end of a function, but forgets it behind a call that was given a vector. Then every switch to
 * the interpreter's SSE code and back costs some 50 ns on Intel's processors. */
FORCE_INLINE void v_leave(void)
{
#if FASTBP_LEVEL > 0
    _mm256_zeroupper();
#endif
}

#endif
