/* The instructions of ptx.cuh on a processor; see emulate.h. */
#pragma once

#define DYNAMIC_SHARED(name) uint8_t *const name = emulation::running->block->shared

INLINE uint32_t dynamic_shared_size() {
    return emulation::dynamic_shared_bytes;
}
INLINE void copy_async(void *to, const void *from, int bytes) {
    if ((uintptr_t)to % 16 != 0 || (uintptr_t)from % 16 != 0 || bytes < 0 || bytes > 16) {
        __trap();
    }
    emulation::running->copies.back().push_back([=] {
        memset(to, 0, 16);
        memcpy(to, from, bytes);
    });
}
INLINE void copy_commit() {
    emulation::running->copies.emplace_back();
}
template <int PENDING> INLINE void copy_wait() {
    auto &groups = emulation::running->copies;
    while (groups.size() > PENDING + 1) {
        for (auto &copy : groups.front()) {
            copy();
        }
        groups.erase(groups.begin());
    }
}
INLINE uint32_t pack_bf16(float low, float high) {
    auto round = [](float f) {
        uint32_t u = __float_as_uint(f);
        return (u + 0x7fff + (u >> 16 & 1)) >> 16;
    };
    return round(low) | round(high) << 16;
}
INLINE uint32_t pack_f16(float low, float high) {
    return __half_as_ushort(__float2half_rn(low)) | (uint32_t)__half_as_ushort(__float2half_rn(high)) << 16;
}
INLINE float bf16_half(uint32_t pair, int which) {
    return __uint_as_float(which == 0 ? pair << 16 : pair & 0xffff0000);
}
INLINE void mma(float c[4], const uint4 &a, uint32_t b0, uint32_t b1) {
    uint64_t words[6] = {a.x, a.y, a.z, a.w, b0, b1};
    uint64_t(*all)[8] = emulation::exchange(words, 6);
    int g = emulation::lane() / 4;
    int t = emulation::lane() % 4;
    for (int i = 0; i < 4; i++) {
        int row = i / 2; /* 0: g, 1: g + 8 */
        int column = 2 * t + i % 2;
        double sum = 0;
        for (int k = 0; k < 16; k++) {
            float x = bf16_half((uint32_t)all[g * 4 + k % 8 / 2][row + k / 8 * 2], k % 2);
            float y = bf16_half((uint32_t)all[column * 4 + k % 8 / 2][4 + k / 8], k % 2);
            sum += (double)x * y;
        }
        c[i] += (float)sum;
    }
}
template <typename V> INLINE void emulate_mma(float d[4], const uint32_t a[4], uint32_t b0, uint32_t b1, const float c[4], V value) {
    uint64_t words[6] = {a[0], a[1], a[2], a[3], b0, b1};
    uint64_t(*all)[8] = emulation::exchange(words, 6);
    int g = emulation::lane() / 4;
    int t = emulation::lane() % 4;
    for (int i = 0; i < 4; i++) {
        double sum = c[i];
        for (int k = 0; k < 16; k++) {
            sum += (double)value((uint32_t)all[g * 4 + k % 8 / 2][i / 2 + k / 8 * 2], k % 2) *
                   value((uint32_t)all[(2 * t + i % 2) * 4 + k % 8 / 2][4 + k / 8], k % 2);
        }
        d[i] = (float)sum;
    }
}
INLINE void mma_f16(float d[4], const uint32_t a[4], uint32_t b0, uint32_t b1, const float c[4]) {
    emulate_mma(d, a, b0, b1, c, [](uint32_t pair, int which) { return __half2float(__ushort_as_half((unsigned short)(pair >> which * 16))); });
}
INLINE void mma_bf16(float d[4], const uint32_t a[4], uint32_t b0, uint32_t b1, const float c[4]) {
    emulate_mma(d, a, b0, b1, c, [](uint32_t pair, int which) { return bf16_half(pair, which); });
}
INLINE uint4 load_matrices(const void *row) {
    if ((uintptr_t)row % 16 != 0) {
        __trap();
    }
    uint64_t word = (uint64_t)row;
    uint64_t(*all)[8] = emulation::exchange(&word, 1);
    int lane = emulation::lane();
    uint32_t d[4];
    for (int i = 0; i < 4; i++) {
        memcpy(&d[i], (const uint8_t *)all[i * 8 + lane / 4][0] + lane % 4 * 4, 4);
    }
    return make_uint4(d[0], d[1], d[2], d[3]);
}
INLINE uint4 load_matrices_transposed(const void *row) {
    if ((uintptr_t)row % 16 != 0) {
        __trap();
    }
    uint64_t word = (uint64_t)row;
    uint64_t(*all)[8] = emulation::exchange(&word, 1);
    int lane = emulation::lane();
    uint32_t d[4];
    for (int i = 0; i < 4; i++) {
        const uint16_t *rows[2] = {(const uint16_t *)all[i * 8 + lane % 4 * 2][0], (const uint16_t *)all[i * 8 + lane % 4 * 2 + 1][0]};
        d[i] = rows[0][lane / 4] | (uint32_t)rows[1][lane / 4] << 16;
    }
    return make_uint4(d[0], d[1], d[2], d[3]);
}
INLINE float exp2_approximate(float x) {
    return exp2f(x);
}
INLINE uint4 load_stream(const void *p) {
    return *(const uint4 *)p;
}
