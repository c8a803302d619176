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

/* The order of m < 2**32 samples in an epoch of a stream: Fisher and Yates's shuffle, from the inside out, with numbers
 * below a bound by Lemire's method (2019), two from each of the generator's. Each epoch has its own place in the stream,
 * so none needs the order before it. */
static inline void fastbp_shuffle(uint32_t *order, ptrdiff_t m, uint64_t stream, ptrdiff_t epoch)
{
    uint64_t state = stream ^ (uint64_t)epoch * UINT64_C(0xD1B54A32D192ED03), bits = 0;
    state = fastbp_random(&state);
    for (ptrdiff_t i = 0; i < m; i++) {
        const uint32_t bound = (uint32_t)(i + 1);
        bits = i % 2 ? bits >> 32 : fastbp_random(&state);
        uint64_t product = (bits & UINT32_MAX) * bound;
        if ((uint32_t)product < bound) {
            const uint32_t unfair = (uint32_t)-(int64_t)bound % bound;
            while ((uint32_t)product < unfair)
                product = (fastbp_random(&state) >> 32) * bound;
        }
        const ptrdiff_t j = (ptrdiff_t)(product >> 32);
        order[i] = order[j]; /* which is what was there before where j is i, and not yet anything */
        order[j] = (uint32_t)i;
    }
}
#endif
