/* The floating-point mode of the kernels, from entry to exit: round to nearest, no traps, and subnormal numbers, which a
 * processor may take a hundred times as long for, read and written as 0. Dead relus, vanishing gradients, decayed weights
 * and saturated sigmoids end among them and would stay there. The caller's mode and its flags come back at the exit.
 */
#ifndef FASTBP_FLOAT_MODE_H
#define FASTBP_FLOAT_MODE_H

#include "simd.h"

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#define KEEP_ORDER() _ReadWriteBarrier()
#else
#define KEEP_ORDER() __asm__ volatile("" ::: "memory") /* no load, store or what comes between moves across */
#endif

#if defined(__x86_64__) || defined(_M_X64)
typedef unsigned float_mode;
FORCE_INLINE float_mode enter_float_mode(void)
{
    const float_mode before = _mm_getcsr();
    _mm_setcsr(0x9fc0); /* FTZ and DAZ; all exceptions masked, which is the rest of the default */
    KEEP_ORDER();
    return before;
}
FORCE_INLINE void leave_float_mode(float_mode before)
{
    KEEP_ORDER();
    v_leave();
    _mm_setcsr(before);
}
#elif defined(__aarch64__) && !defined(_MSC_VER)
typedef uint64_t float_mode;
FORCE_INLINE float_mode enter_float_mode(void)
{
    float_mode before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"((float_mode)1 << 24)); /* FZ; the rest of the default is 0 */
    KEEP_ORDER();
    return before;
}
FORCE_INLINE void leave_float_mode(float_mode before)
{
    KEEP_ORDER();
    __asm__ volatile("msr fpcr, %0" : : "r"(before));
}
#else
/* No portable way, and no processor on which it was measured: subnormal numbers are right, and may be slow. */
typedef int float_mode;
FORCE_INLINE float_mode enter_float_mode(void) { return 0; }
FORCE_INLINE void leave_float_mode(float_mode before) { (void)before; }
#endif
#endif
