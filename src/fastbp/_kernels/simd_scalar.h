/* Any other processor: plain C, with vectors of one lane. */
#ifndef FASTBP_SIMD_SCALAR_H
#define FASTBP_SIMD_SCALAR_H

#define V_BYTES ((int)sizeof(real))
#define V_FMA 0
typedef real vec;
typedef int vmask;
FORCE_INLINE real_bits to_bits(vec a) { real_bits u; memcpy(&u, &a, sizeof u); return u; }
FORCE_INLINE vec from_bits(real_bits u) { vec a; memcpy(&a, &u, sizeof a); return a; }

FORCE_INLINE vec v_load(const real *p) { return *p; }
FORCE_INLINE vec v_load_bits(const real_bits *p) { return from_bits(*p); }
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
FORCE_INLINE int v_all(vmask m) { return m; }
FORCE_INLINE vec v_select(vmask m, vec a, vec b) { return m ? a : b; }
FORCE_INLINE real v_sum(vec a) { return a; }
FORCE_INLINE vec v_total(vec a, ptrdiff_t n) { (void)n; return a; }
FORCE_INLINE vec v_lane_sums(const vec *s) { return s[0]; }
FORCE_INLINE vec v_join_sums(const vec *s) { return s[0]; }
#define LANE 1
FORCE_INLINE vec v_load_lanes(const real *p, ptrdiff_t distance) { (void)distance; return v_load(p); }
FORCE_INLINE vec v_load_each(const real *const *p, ptrdiff_t step, ptrdiff_t at) { (void)step; return v_load(p[0] + at); }
FORCE_INLINE void v_transpose_lanes(vec *r) { (void)r; }
FORCE_INLINE vec v_shift_left_mantissa(vec a) { return from_bits(to_bits(a) << MANTISSA_BITS); }
FORCE_INLINE void v_leave(void) {}

#endif
