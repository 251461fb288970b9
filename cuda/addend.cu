/*
 * What a library's dense product of bf16 rows is added to: y itself or nothing, plus a bias, plus the rows' adapters (see lora.cu),
 * weight * scale * (x A^T) B^T in the order of each row's list. The product then accumulates into y.
 *
 * Bytes: addend_low reads x (2 an element), addend writes y (4 or 2, and reads it if added to); A and B come from the second cache, once
 * for eight rows. Flops: 2 r (in + out) a row, in f32.
 *
 * addend_low: a block has eight rows and eight ranks, a thread every 256th four of in; sums are added over a warp, then over the warps
 * in order. addend: a thread has four outputs of eight rows. Rows of a block with the same adapter are served together, which leaves no
 * trace in their bits.
 */
#include "lora.cuh"
#include "ptx.cuh"

enum { THREADS = 256, WARPS = THREADS / WARP, ROWS = 8, RANKS = 8 };

/* The adapters of entry s of the block's rows: -1 for none. */
INLINE void adapters(int slots[ROWS], const lora_rows &lora, int64_t first, int64_t n, int64_t s, int *fault) {
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        int slot;
        slots[r] = first + r < n && lora_entry(lora, first + r, s, fault, slot) ? slot : -1;
    }
}

/* The first adapter that is left, or -1. */
INLINE int next_adapter(const int slots[ROWS]) {
    int slot = -1;
#pragma unroll
    for (int r = ROWS - 1; r >= 0; r--) {
        slot = slots[r] >= 0 ? slots[r] : slot;
    }
    return slot;
}

/* Sums over a warp of 4 * STEP numbers, halves of which lanes exchange: in the end lane i has numbers 2i and 2i + 1. */
template <int STEP> INLINE void share_sums(float v[ROWS * RANKS]) {
    const bool upper = threadIdx.x & STEP;
#pragma unroll
    for (int i = 0; i < 2 * STEP; i++) {
        const float low = v[i], high = v[i + 2 * STEP];
        v[i] = (upper ? high : low) + __shfl_xor_sync(~0u, upper ? low : high, STEP);
    }
    if constexpr (STEP > 1) {
        share_sums<STEP / 2>(v);
    }
}

/* low = A x: x bf16 [n, in], in a multiple of 8, x and every A at multiples of 16 bytes. Grid: eights of rows, eights of ranks, entries of a list. */
extern "C" __global__ void __launch_bounds__(THREADS, 2) addend_low(const uint2 *x, int64_t n, int64_t in, int *fault, lora_rows lora) {
    static_assert(ROWS * RANKS == 2 * WARP, "share_sums");
    __shared__ float partial[WARPS][ROWS * RANKS];
    __shared__ int slots[ROWS];
    const int64_t first = blockIdx.x * (int64_t)ROWS;
    const int rank0 = blockIdx.y * RANKS;
    const int64_t s = blockIdx.z;
    const int width = (int)in;
    const int last_row = (int)min(n - first, (int64_t)ROWS) - 1;
    if (threadIdx.x < ROWS) {
        int slot;
        slots[threadIdx.x] = first + threadIdx.x < n && lora_entry(lora, first + threadIdx.x, s, fault, slot) ? slot : -1;
    }
    __syncthreads();
#pragma unroll 1
    for (int begin = 0; begin < ROWS; begin++) {
        const int slot = slots[begin];
        bool done = slot < 0;
#pragma unroll 1
        for (int r = 0; r < begin; r++) {
            done |= slots[r] == slot;
        }
        if (done) {
            continue;
        }
        const lora_factor &f = lora.table[slot];
        if (rank0 < f.rank) {
            float sums[ROWS * RANKS] = {};
            const int last_rank = min(f.rank - rank0, (int)RANKS) - 1;
            const float *a = f.a + rank0 * in + threadIdx.x * 4;
            const uint2 *from = x + first * in / 4 + threadIdx.x;
#pragma unroll 1
            for (int k = threadIdx.x * 4; k < width; k += THREADS * 4, a += THREADS * 4, from += THREADS) {
                uint2 v[ROWS];
#pragma unroll
                for (int r = 0; r < ROWS; r++) {
                    v[r] = __ldg(from + min(r, last_row) * (width / 4));
                }
#pragma unroll
                for (int j = 0; j < RANKS; j++) {
                    const float4 u = __ldg((const float4 *)(a + min(j, last_rank) * width));
#pragma unroll
                    for (int r = 0; r < ROWS; r++) {
                        float sum = fmaf(u.x, __uint_as_float(v[r].x << 16), sums[r * RANKS + j]);
                        sum = fmaf(u.y, __uint_as_float(v[r].x & 0xffff0000), sum);
                        sum = fmaf(u.z, __uint_as_float(v[r].y << 16), sum);
                        sums[r * RANKS + j] = fmaf(u.w, __uint_as_float(v[r].y & 0xffff0000), sum);
                    }
                }
            }
            share_sums<WARP / 2>(sums);
            __syncthreads(); /* what was shared for the adapter before is read */
            partial[threadIdx.x / WARP][threadIdx.x % WARP * 2] = sums[0];
            partial[threadIdx.x / WARP][threadIdx.x % WARP * 2 + 1] = sums[1];
            __syncthreads();
            const int r = threadIdx.x / RANKS;
            const int rank = rank0 + threadIdx.x % RANKS;
            if (r < ROWS && rank < f.rank && slots[r] == slot) {
                float all = 0;
                for (int w = 0; w < WARPS; w++) {
                    all += partial[w][threadIdx.x];
                }
                lora.low[((first + r) * lora.per_row + s) * lora.stride + rank] = all;
            }
        }
    }
}

INLINE float4 load_four(const float *y) {
    return *(const float4 *)y;
}

INLINE float4 load_four(const uint16_t *y) {
    uint2 v = *(const uint2 *)y;
    return make_float4(__uint_as_float(v.x << 16), __uint_as_float(v.x & 0xffff0000), __uint_as_float(v.y << 16), __uint_as_float(v.y & 0xffff0000));
}

INLINE void store_four(float *y, const float v[4]) {
    *(float4 *)y = make_float4(v[0], v[1], v[2], v[3]);
}

INLINE void store_four(uint16_t *y, const float v[4]) {
    *(uint2 *)y = make_uint2(pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]));
}

/* y [n, out], out a multiple of 8, at a multiple of 16 bytes; bias may be null. Grid: 1024s of outputs, eights of rows. */
template <typename T>
INLINE void addend_body(T *y, int64_t n, int64_t out, int onto, const void *bias, int bias_type, int *fault, const lora_rows &lora) {
    const int64_t o = (blockIdx.x * (int64_t)THREADS + threadIdx.x) * 4;
    const int64_t first = blockIdx.y * (int64_t)ROWS;
    if (o >= out) {
        return;
    }
    float value[ROWS][4] = {};
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        if (onto && first + r < n) {
            float4 v = load_four(y + (first + r) * out + o);
            value[r][0] = v.x, value[r][1] = v.y, value[r][2] = v.z, value[r][3] = v.w;
        }
    }
    if (bias != nullptr) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const float b = element(bias, bias_type, o + j);
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                value[r][j] += b;
            }
        }
    }
    for (int64_t s = 0; s < lora.per_row; s++) {
        int slots[ROWS];
        adapters(slots, lora, first, n, s, fault);
        for (int slot; (slot = next_adapter(slots)) >= 0;) {
            const lora_factor f = lora.table[slot];
            const float *b[4];
#pragma unroll
            for (int j = 0; j < 4; j++) {
                b[j] = f.b + lora_row(o + j, lora.head_dim) * f.rank;
            }
            const bool vector = vectors(f.b, f.rank);
            const float *low = lora.low + (first * lora.per_row + s) * lora.stride;
            float sums[ROWS][4] = {};
#pragma unroll 1
            for (int k = 0; k < f.rank; k += 4) {
                float4 u[4];
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    u[j] = load4(b[j], k, f.rank, vector);
                }
#pragma unroll
                for (int r = 0; r < ROWS; r++) {
                    if (slots[r] == slot) {
                        const float4 v = load4(low + r * lora.per_row * lora.stride, k, f.rank, vector);
#pragma unroll
                        for (int j = 0; j < 4; j++) {
                            float sum = fmaf(u[j].x, v.x, sums[r][j]);
                            sum = fmaf(u[j].y, v.y, sum);
                            sum = fmaf(u[j].z, v.z, sum);
                            sums[r][j] = fmaf(u[j].w, v.w, sum);
                        }
                    }
                }
            }
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                if (slots[r] == slot) {
                    const float weight = lora.weights[(first + r) * lora.per_row + s] * f.scale;
#pragma unroll
                    for (int j = 0; j < 4; j++) {
                        value[r][j] = fmaf(weight, sums[r][j], value[r][j]);
                    }
                    slots[r] = -1;
                }
            }
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        if (first + r < n) {
            store_four(y + (first + r) * out + o, value[r]);
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 2)
    addend_f32(float *y, int64_t n, int64_t out, int onto, const void *bias, int bias_type, int *fault, lora_rows lora) {
    addend_body(y, n, out, onto, bias, bias_type, fault, lora);
}

extern "C" __global__ void __launch_bounds__(THREADS, 2)
    addend_bf16(uint16_t *y, int64_t n, int64_t out, int onto, const void *bias, int bias_type, int *fault, lora_rows lora) {
    addend_body(y, n, out, onto, bias, bias_type, fault, lora);
}
