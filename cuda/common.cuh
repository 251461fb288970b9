/*
 * Shared by every kernel: number formats, exact loads, and reductions in a fixed order.
 *
 * Kernels see pointers and sizes; matrices are dense and row-major, f32 activations may start at any multiple of 4 bytes, weights
 * at any byte that their format allows (2 for quantised blocks on even offsets is not promised: see load_u16). Bits: a row's result
 * depends on its own inputs alone, so no float is ever added atomically and every sum is cut by its own length.
 */
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stdint.h>

/* Number formats of weights, numbered as by CudaBackend.code; a row is a whole number of blocks. */
enum t2l_type { T2L_F32, T2L_F16, T2L_BF16, T2L_Q4_0, T2L_Q4_1, T2L_Q8_0, T2L_Q4_K, T2L_Q6_K };

/* In the order of dev.t2l.backend.Activation. */
enum t2l_activation { T2L_SILU, T2L_GELU, T2L_GELU_TANH, T2L_RELU };

/* Kernels that met an index outside its table, in the order of CudaDevice.FAULTS. They report it, and leave the row alone. */
enum t2l_fault {
    T2L_FAULT_GATHER = 1, T2L_FAULT_SCATTER, T2L_FAULT_MEAN_ROWS, T2L_FAULT_ATTENTION, T2L_FAULT_LORA,
    T2L_FAULT_LORA_BACKWARD, T2L_FAULT_SCATTER_ADD, T2L_FAULT_ATTENTION_BACKWARD, T2L_FAULT_CROSS_ENTROPY
};

#define INLINE static __device__ __forceinline__
#define KERNEL extern "C" __global__ void

enum { WARP = 32 };

INLINE void report(int *fault, t2l_fault kernel) {
    *(volatile int *)fault = kernel;
}

INLINE int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* Unaligned little-endian loads, for blocks whose size is no multiple of what is read. */
INLINE uint32_t load_u16(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8;
}

INLINE float load_half(const uint8_t *p) {
    return __half2float(__ushort_as_half((unsigned short)load_u16(p)));
}

/* Element i of a plain type, exact. */
INLINE float element(const void *p, int type, int64_t i) {
    switch (type) {
    case T2L_F16:
        return __half2float(((const __half *)p)[i]);
    case T2L_BF16:
        return __bfloat162float(((const __nv_bfloat16 *)p)[i]);
    default:
        return ((const float *)p)[i];
    }
}

/* The sum over a warp, the same in every lane: lane i takes i ^ 16, i ^ 8, ... in turn. */
template <typename T> INLINE T warp_sum(T v) {
#pragma unroll
    for (int step = WARP / 2; step > 0; step /= 2) {
        v += __shfl_xor_sync(~0u, v, step);
    }
    return v;
}

INLINE float warp_max(float v) {
#pragma unroll
    for (int step = WARP / 2; step > 0; step /= 2) {
        v = fmaxf(v, __shfl_xor_sync(~0u, v, step));
    }
    return v;
}

/* The sum over a block of a multiple of 32 threads, the same in every thread: warps first, then their sums in order of the warps.
 * Ends with all threads past their last read of what was shared before. */
template <typename T> INLINE T block_sum(T v) {
    __shared__ T sums[WARP];
    int warps = blockDim.x / WARP;
    v = warp_sum(v);
    __syncthreads();
    if (threadIdx.x % WARP == 0) {
        sums[threadIdx.x / WARP] = v;
    }
    __syncthreads();
    T all = 0;
    for (int i = 0; i < warps; i++) {
        all += sums[i];
    }
    return all;
}
