/*
 * Blocks of a cluster: consecutive along x, on neighbouring multiprocessors, which read each other's shared memory (compute capability
 * 9.0). Compiled for anything older, every cluster is one block, and the others of its grid have nothing to do: cluster_idle.
 */
#pragma once

#include "common.cuh"

#ifdef T2L_EMULATE
#define CLUSTER(blocks)
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
#define CLUSTER(blocks) __cluster_dims__(blocks, 1, 1)
#else
#define CLUSTER(blocks)
#endif

#if !defined(T2L_EMULATE) && defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900

INLINE int cluster_size() {
    uint32_t n;
    asm("mov.u32 %0, %%cluster_nctaid.x;" : "=r"(n));
    return (int)n;
}

INLINE int cluster_rank() {
    uint32_t r;
    asm("mov.u32 %0, %%cluster_ctaid.x;" : "=r"(r));
    return (int)r;
}

INLINE bool cluster_idle() {
    return false;
}

/* All threads of all blocks meet, and see what was written to shared memory before. */
INLINE void cluster_sync() {
    asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
}

INLINE uint32_t peer_address(const void *p, int rank) {
    uint32_t there;
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"((uint32_t)__cvta_generic_to_shared(p)), "r"(rank));
    return there;
}

/* What p, a place in this block's shared memory, holds in block `rank`. */
INLINE uint32_t peer(const uint32_t *p, int rank) {
    uint32_t v;
    asm volatile("ld.shared::cluster.u32 %0, [%1];" : "=r"(v) : "r"(peer_address(p, rank)) : "memory");
    return v;
}

INLINE uint64_t peer(const uint64_t *p, int rank) {
    uint64_t v;
    asm volatile("ld.shared::cluster.u64 %0, [%1];" : "=l"(v) : "r"(peer_address(p, rank)) : "memory");
    return v;
}

#else

INLINE int cluster_size() {
    return 1;
}

INLINE int cluster_rank() {
    return 0;
}

INLINE bool cluster_idle() {
    return blockIdx.x > 0;
}

INLINE void cluster_sync() {
    __syncthreads();
}

template <typename T> INLINE T peer(const T *p, int) {
    return *p;
}
#endif
