/* The instructions of hopper.cuh on a processor; see emulate.h. Asynchronous copies are done when their barrier is told, products at once. */
#pragma once

#define OPERANDS_SHARED(name) uint8_t *const name = emulation::running->block->shared

/* A barrier's eight bytes. */
struct emulated_barrier {
    uint16_t arrivals, left;
    uint32_t phase;
};

INLINE void barrier_init(uint64_t *barrier, uint32_t arrivals) {
    *(emulated_barrier *)barrier = {(uint16_t)arrivals, (uint16_t)arrivals, 0};
}
INLINE void barriers_ready() {
}
INLINE void barrier_arrive(uint64_t *barrier) {
    emulated_barrier &b = *(emulated_barrier *)barrier;
    if (b.left == 0) {
        __trap();
    }
    if (--b.left == 0) {
        b.left = b.arrivals;
        b.phase++;
    }
}
INLINE void barrier_arrive_copied(uint64_t *barrier) {
    for (auto &group : emulation::running->copies) {
        for (auto &copy : group) {
            copy();
        }
    }
    emulation::running->copies.assign(1, {});
    barrier_arrive(barrier);
}
INLINE void barrier_wait(uint64_t *barrier, uint32_t parity) {
    while ((((emulated_barrier *)barrier)->phase & 1) == parity) {
        emulation::yield();
    }
}
INLINE void fence_operands() {
}
INLINE void meet(int id, int threads) {
    emulation::meet(emulation::running->block->some[id], threads);
}
INLINE void wgmma_fence() {
}
INLINE void wgmma_commit() {
}
template <int PENDING> INLINE void wgmma_wait() {
}
INLINE uint64_t operand(const uint8_t *atoms) {
    uint32_t at = (uint32_t)(atoms - emulation::running->block->shared);
    if (at % 1024 != 0) {
        __trap();
    }
    return at >> 4;
}
/* Element k of row r: the address of its 16 bytes, before swizzling, is swizzled by its own bits. */
INLINE float operand_element(uint64_t operand, int r, int k) {
    uint32_t at = (uint32_t)operand * 16 + r / 8 * 1024 + r % 8 * 128 + k * 2;
    at ^= (at >> 7 & 7) << 4;
    uint16_t half;
    memcpy(&half, emulation::running->block->shared + at, 2);
    return __uint_as_float((uint32_t)half << 16);
}
template <int N> INLINE void wgmma(float *d, uint64_t a, uint64_t b) {
    const int thread = threadIdx.x % WARPGROUP;
    for (int i = 0; i < N / 2; i++) {
        int row = thread / 32 * 16 + thread % 32 / 4 + i % 4 / 2 * 8;
        int column = i / 4 * 8 + thread % 4 * 2 + i % 2;
        double sum = 0;
        for (int k = 0; k < 16; k++) {
            sum += (double)operand_element(a, row, k) * operand_element(b, column, k);
        }
        d[i] += (float)sum;
    }
}
INLINE void cluster_meet() {
    emulation::meet(emulation::cluster_meeting, emulation::block_size.x * (int)emulation::cluster.size());
}
INLINE float4 load_cluster(const float *own, uint32_t rank) {
    return *(const float4 *)(emulation::cluster[rank].shared + ((const uint8_t *)own - emulation::running->block->shared));
}
INLINE void wait_for_launches_before() {
}
INLINE void let_next_launch_begin() {
}
INLINE float4 fresh4(const float *p, bool) {
    return make_float4(p[0], p[1], p[2], p[3]);
}
INLINE void prefetch(const void *, uint32_t) {
}
