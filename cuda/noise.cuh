/* The random numbers of dev.t2l.backend.Noise: a function of a seed and the element. */
#pragma once

#include "common.cuh"

INLINE uint32_t noise_bits(uint64_t seed, int64_t i) {
    uint64_t z = seed + (uint64_t)(i + 1) * 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return (uint32_t)((z ^ z >> 31) >> 32);
}
