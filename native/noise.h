/* The random bits of dev.t2l.backend.Noise: SplitMix64's mixing function (Steele et al. 2014) of a seed and an element's index. */
#ifndef T2L_NOISE_H
#define T2L_NOISE_H

#include "kernel.h"

INLINE uint32_t noise_bits(int64_t seed, int64_t i) {
    uint64_t z = (uint64_t)seed + ((uint64_t)i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) >> 32);
}

enum { WORK_OF_NOISE = 8 }; /* in multiply-adds, an element */

#endif
