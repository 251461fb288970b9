/*
 * Work that overlaps: barriers that some warps arrive at and others wait for, and kernels that start before the one ahead of them ends.
 *
 * A kernel launched with the attribute of programmatic stream serialisation may start as soon as every block of the kernel ahead has called
 * grid_trigger (or ended). Until its own grid_wait returns it must read nothing that any kernel wrote, and write nothing at all: then
 * everything ahead of it in the stream has ended and its writes are to be seen, for each of those waited in its turn. What was written by
 * others goes through load_fresh: the first cache may be older than the wait.
 */
#pragma once

#include "ptx.cuh"

#ifdef T2L_EMULATE
#include "dev/emulate_overlap.h"
#else

/* The kernel behind may start. */
INLINE void grid_trigger() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/* Waits for the end of the kernel ahead. */
INLINE void grid_wait() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/* 16 bytes that another kernel may have written since this one began. */
INLINE float4 load_fresh4(const float *p) {
    float4 v;
    asm volatile("ld.global.cg.v4.f32 {%0, %1, %2, %3}, [%4];" : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w) : "l"(p) : "memory");
    return v;
}

/* The same of 8. */
INLINE float2 load_fresh2(const float *p) {
    float2 v;
    asm volatile("ld.global.cg.v2.f32 {%0, %1}, [%2];" : "=f"(v.x), "=f"(v.y) : "l"(p) : "memory");
    return v;
}

INLINE float load_fresh(const float *p) {
    float v;
    asm volatile("ld.global.cg.f32 %0, [%1];" : "=f"(v) : "l"(p) : "memory");
    return v;
}

/* A barrier in shared memory: of `count` arrivals a phase. Phases are numbered from 0; wait takes the parity of one that is the present or the last. */
INLINE void barrier_init(uint64_t *barrier, int count) {
    asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(count) : "memory");
}

INLINE void barrier_arrive(uint64_t *barrier) {
    asm volatile("{.reg .b64 state; mbarrier.arrive.shared.b64 state, [%0];}" ::"r"(shared_address(barrier)) : "memory");
}

INLINE void barrier_wait(uint64_t *barrier, int parity) {
#if __CUDA_ARCH__ >= 900
    asm volatile("{.reg .pred done;\n"
                 "again: mbarrier.try_wait.parity.shared.b64 done, [%0], %1;\n"
                 "@!done bra again;}" ::"r"(shared_address(barrier)), "r"(parity) : "memory");
#else
    asm volatile("{.reg .pred done;\n"
                 "again: mbarrier.test_wait.parity.shared.b64 done, [%0], %1;\n"
                 "@!done bra again;}" ::"r"(shared_address(barrier)), "r"(parity) : "memory");
#endif
}

/* __syncthreads of the block's first THREADS threads. */
template <int THREADS> INLINE void sync_threads() {
    asm volatile("bar.sync 1, %0;" ::"n"(THREADS) : "memory");
}
#endif
