/* Random numbers that a seed decides: the same ones everywhere. Not for secrets. */
#ifndef SHF_BASE_RANDOM_H
#define SHF_BASE_RANDOM_H

#include <stdint.h>

/* SplitMix64 (G. Steele, D. Lea, C. Flood, 2014, https://doi.org/10.1145/2660193.2660195); *state begins as the seed. */
static inline uint64_t shf_random_next(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

#endif
