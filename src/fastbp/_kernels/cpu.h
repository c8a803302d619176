/* Which instruction sets this processor and its operating system offer: 4 for x86-64-v4, 3 for x86-64-v3, else 0.
 *
 * CPUID tells what the processor has, XGETBV whether the system saves the wide registers when it switches tasks.
 * Bits: Intel's Software Developer's Manual, volume 2A, CPUID, leaves 1 and 7; volume 1, 13.3, for XCR0.
 */
#ifndef FASTBP_CPU_H
#define FASTBP_CPU_H

#if defined(__x86_64__) || defined(_M_X64)
#ifdef _MSC_VER
#include <intrin.h>
static void fastbp_cpuid(int leaf, unsigned registers[4]) { __cpuidex((int *)registers, leaf, 0); }
static unsigned fastbp_xcr0(void) { return (unsigned)_xgetbv(0); }
#else
#include <cpuid.h>
static void fastbp_cpuid(int leaf, unsigned registers[4])
{
    __cpuid_count(leaf, 0, registers[0], registers[1], registers[2], registers[3]);
}
static unsigned fastbp_xcr0(void)
{
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}
#endif

static int fastbp_cpu_level(void)
{
    enum { EAX, EBX, ECX, EDX };
    const unsigned fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28; /* leaf 1, ECX */
    const unsigned avx2 = 1u << 5;                                     /* leaf 7, EBX */
    const unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31; /* F, DQ, CD, BW, VL */
    const unsigned ymm_state = 0x06, zmm_state = 0xe6;                 /* XCR0 */
    unsigned leaf0[4], leaf1[4], leaf7[4], xcr0;
    fastbp_cpuid(0, leaf0);
    if (leaf0[EAX] < 7)
        return 0;
    fastbp_cpuid(1, leaf1);
    fastbp_cpuid(7, leaf7);
    if ((leaf1[ECX] & (fma | osxsave | avx)) != (fma | osxsave | avx) || !(leaf7[EBX] & avx2))
        return 0;
    xcr0 = fastbp_xcr0();
    if ((xcr0 & ymm_state) != ymm_state)
        return 0;
    return (leaf7[EBX] & avx512) == avx512 && (xcr0 & zmm_state) == zmm_state ? 4 : 3;
}
#else
static int fastbp_cpu_level(void) { return 0; }
#endif

#if defined(__clang__)
#define FASTBP_COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define FASTBP_COMPILER "gcc " __VERSION__
#elif defined(_MSC_VER)
#define FASTBP_STRING_(x) #x
#define FASTBP_STRING(x) FASTBP_STRING_(x)
#define FASTBP_COMPILER "MSVC " FASTBP_STRING(_MSC_FULL_VER)
#else
#define FASTBP_COMPILER "unknown"
#endif
#endif
