/* The instructions of overlap.cuh on a processor; see emulate.h. One kernel runs at a time. */
#pragma once

INLINE void grid_trigger() {
}
INLINE void grid_wait() {
}
INLINE float4 load_fresh4(const float *p) {
    if ((uintptr_t)p % 16 != 0) {
        __trap();
    }
    return *(const float4 *)p;
}
INLINE float2 load_fresh2(const float *p) {
    return *(const float2 *)p;
}
INLINE float load_fresh(const float *p) {
    return *p;
}
/* Arrivals still to come in the phase, arrivals a phase, the phase. */
struct emulated_barrier {
    uint16_t left, count;
    uint32_t phase;
};
INLINE void barrier_init(uint64_t *barrier, int count) {
    *(emulated_barrier *)barrier = {(uint16_t)count, (uint16_t)count, 0};
}
INLINE void barrier_arrive(uint64_t *barrier) {
    emulated_barrier *b = (emulated_barrier *)barrier;
    if (--b->left == 0) {
        b->left = b->count;
        b->phase++;
    }
}
INLINE void barrier_wait(uint64_t *barrier, int parity) {
    while ((((volatile emulated_barrier *)barrier)->phase & 1) == (uint32_t)parity) {
        emulation::yield();
    }
}
template <int THREADS> INLINE void sync_threads() {
    emulation::meet(emulation::running->block->some[1], THREADS);
}
