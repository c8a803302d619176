/* Random numbers of fastbp's own: for dropout's masks, and for the orders in which the networks of a population take
 * their samples, of which there are too many for a numpy.random.Generator each. */
#ifndef FASTBP_RANDOM_H
#define FASTBP_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* The next number of SplitMix64 (Steele, Lea and Flood 2014). */
static inline uint64_t fastbp_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* The order of m < 2**32 samples in an epoch of a stream: Fisher and Yates's shuffle of 0, 1, ..., with numbers below a
 * bound by Lemire's method (2019). Each epoch has its own place in the stream, so none needs the order before it. */
static inline void fastbp_shuffle(ptrdiff_t *order, ptrdiff_t m, uint64_t stream, ptrdiff_t epoch)
{
    uint64_t state = stream ^ (uint64_t)epoch * UINT64_C(0xD1B54A32D192ED03);
    state = fastbp_random(&state);
    for (ptrdiff_t i = 0; i < m; i++)
        order[i] = i;
    for (ptrdiff_t i = m - 1; i > 0; i--) {
        const uint32_t bound = (uint32_t)(i + 1);
        uint64_t product = (fastbp_random(&state) >> 32) * bound;
        if ((uint32_t)product < bound) {
            const uint32_t unfair = (uint32_t)-(int64_t)bound % bound;
            while ((uint32_t)product < unfair)
                product = (fastbp_random(&state) >> 32) * bound;
        }
        const ptrdiff_t j = (ptrdiff_t)(product >> 32), other = order[j];
        order[j] = order[i];
        order[i] = other;
    }
}
#endif
