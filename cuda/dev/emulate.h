/*
 * CUDA on a processor, for the checks of this folder: every thread of a block is a fibre, blocks (or clusters of them) run one after
 * another, shared memory is poisoned before each. Enough of the language and the runtime for the products' kernels, and far too slow for anything else.
 * Asynchronous copies happen as late as their wait allows, so that a missing one shows. Build: run.sh emulate.
 */
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <csetjmp>
#include <functional>
#include <ucontext.h>
#include <vector>

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#undef __shared__
#undef __forceinline__
#undef __launch_bounds__
#undef __grid_constant__
#define __grid_constant__
#define __shared__ static
#define __forceinline__ inline
#define __launch_bounds__(...)

using std::isinf;
using std::max;
using std::min;

namespace emulation {
struct meeting { /* of a warp, some warps, a block or a cluster */
    int arrived = 0;
    long generation = 0;
    uint64_t slots[2][32][8];
};
struct block_state {
    dim3 index;
    std::vector<uint8_t> memory;
    uint8_t *shared; /* dynamic, aligned to 1024 */
    std::vector<meeting> warps;
    meeting all, some[16];
};
struct fibre {
    ucontext_t context; /* to begin with */
    jmp_buf place;      /* to go on with: no system call, unlike contexts */
    std::vector<char> stack;
    uint3 thread;
    block_state *block;
    bool begun, done;
    std::vector<std::vector<std::function<void()>>> copies; /* groups under way, the last one open */
};
extern std::vector<fibre> fibres;
extern fibre *running;
extern jmp_buf scheduler;
extern std::vector<block_state> cluster; /* blocks that run together */
extern meeting cluster_meeting;
extern dim3 block_size, grid_size;
extern uint32_t dynamic_shared_bytes;

inline void yield() {
    if (_setjmp(running->place) == 0) {
        _longjmp(scheduler, 1);
    }
}

/* Returns the generation that this was, when all have come. */
inline long meet(meeting &m, int size) {
    long generation = m.generation;
    if (++m.arrived == size) {
        m.arrived = 0;
        m.generation++;
    }
    while (m.generation == generation) {
        yield();
    }
    return generation;
}

inline int lane() {
    return running->thread.x % 32;
}

inline meeting &warp() {
    return running->block->warps[running->thread.x / 32];
}

/* Every lane's words, as of now. */
inline uint64_t (*exchange(const uint64_t *words, int count))[8] {
    meeting &m = warp();
    uint64_t(*slots)[8] = m.slots[m.generation % 2];
    for (int i = 0; i < count; i++) {
        slots[lane()][i] = words[i];
    }
    meet(m, 32);
    return slots;
}

/* Clusters are `together` blocks along x. */
void run(dim3 grid, int threads, size_t shared, const std::function<void()> &body, int together = 1);
} // namespace emulation

#define threadIdx (emulation::running->thread)
#define blockIdx (emulation::running->block->index)
#define blockDim (emulation::block_size)
#define gridDim (emulation::grid_size)

inline void __syncthreads() {
    emulation::meet(emulation::running->block->all, emulation::block_size.x);
}
inline void __syncwarp() {
    emulation::meet(emulation::warp(), 32);
}
template <typename T> T __shfl_sync(unsigned, T v, int from) {
    uint64_t word = 0;
    memcpy(&word, &v, sizeof v);
    uint64_t(*all)[8] = emulation::exchange(&word, 1);
    memcpy(&v, &all[from % 32][0], sizeof v);
    return v;
}
template <typename T> T __shfl_xor_sync(unsigned mask, T v, int step) {
    return __shfl_sync(mask, v, emulation::lane() ^ step);
}
inline unsigned __ballot_sync(unsigned, bool wanted) {
    uint64_t word = wanted;
    uint64_t(*all)[8] = emulation::exchange(&word, 1);
    unsigned bits = 0;
    for (int i = 0; i < 32; i++) {
        bits |= (unsigned)all[i][0] << i;
    }
    return bits;
}
inline int __reduce_min_sync(unsigned mask, int v) {
    for (int step = 16; step > 0; step /= 2) {
        v = min(v, __shfl_xor_sync(mask, v, step));
    }
    return v;
}
inline int __reduce_max_sync(unsigned mask, int v) {
    return -__reduce_min_sync(mask, -v);
}
inline void __threadfence() {
}
inline void __threadfence_system() {
}
inline unsigned atomicInc(unsigned *p, unsigned most) {
    unsigned old = *p;
    *p = old >= most ? 0 : old + 1;
    return old;
}
template <typename T> T __ldcg(const T *p) {
    return *p;
}
inline unsigned atomicAdd(unsigned *p, unsigned v) {
    unsigned old = *p;
    *p += v;
    return old;
}
template <typename T> T __ldg(const T *p) {
    return *p;
}
inline uint32_t __float_as_uint(float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}
inline float __uint_as_float(uint32_t u) {
    float f;
    memcpy(&f, &u, 4);
    return f;
}
inline float __fmul_rn(float a, float b) {
    return a * b;
}
inline float __fadd_rn(float a, float b) {
    return a + b;
}
inline float __fdividef(float a, float b) {
    return a / b;
}
inline int __ffs(int v) {
    return __builtin_ffs(v);
}
inline void __trap() {
    fprintf(stderr, "trap\n");
    abort();
}

/* The runtime; the rest of it is in emulate.cpp. */
#include <cuda_runtime_api.h>

template <typename T> cudaError_t cudaMalloc(T **p, size_t bytes) {
    return cudaMalloc((void **)p, bytes);
}
template <typename K> cudaError_t cudaFuncSetAttribute(K, cudaFuncAttribute, int) {
    return cudaSuccess;
}
