/* The core's peak of multiply-adds, as docs/performance.md means it: GFLOP/s of independent chains of fused multiply-adds
   whose operands stay in registers. Each chain goes to and fro between two random numbers, because a core that computes
   the same thing over and over may run at a higher clock than real data let it. benchmarks/peak.py compiles this file for the widest vectors of the machine. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
#define CHAINS 12

typedef REAL vec __attribute__((vector_size(BYTES)));

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(void)
{
    const int lanes = BYTES / sizeof(REAL), steps = 50000;
    vec sum[CHAINS], factor, term;
    for (int i = 0; i < lanes; i++)
        factor[i] = (REAL)(1.1 + 0.8 * rand() / RAND_MAX), term[i] = (REAL)rand() / (REAL)RAND_MAX;
    vec back = 1 / factor, term_back = -term * back;
    for (int c = 0; c < CHAINS; c++)
        sum[c] = term * (REAL)(c + 1);
    double least = 1e9;
    for (int repeat = 0; repeat < 2000; repeat++) {
        double started = now();
        for (int step = 0; step < steps; step++) {
#pragma GCC unroll 12
            for (int c = 0; c < CHAINS; c++)
                sum[c] = sum[c] * factor + term;
#pragma GCC unroll 12
            for (int c = 0; c < CHAINS; c++)
                sum[c] = sum[c] * back + term_back;
        }
        double seconds = now() - started;
        least = seconds < least ? seconds : least;
    }
    volatile REAL kept;
    for (int c = 0; c < CHAINS; c++)
        kept = sum[c][0];
    (void)kept;
    printf("%.1f\n", 1e-9 * 4 * CHAINS * lanes * steps / least);
    return 0;
}
