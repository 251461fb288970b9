/*
 * A hypernetwork's body on Hopper, in one launch: the task encoder, and up to four blocks r + silu(down(silu(up(norm(x))))), each with or
 * without norm and residual r = x. Latent width 128, 512 inside, bf16 weights. This is what the kernels for few rows (hyperbody.cu) and for
 * many (hyperbodymany.cu) have in common.
 *
 * A cluster of eight blocks takes rows through all of it: a block has 64 of the 512 inner outputs of every `up`, and what they
 * contribute to all outputs of `down`, so that blocks exchange sums through each other's shared memory.
 * Products are mma's with weights as first operand and eight rows as the second, as high and low parts in bf16, to 16 bits or more.
 *
 * 256 threads; between products a warp has a row, a lane four columns. Bits: the same of either kernel; a row's sums do not depend on the others.
 */
#pragma once

#include "activation.cuh"
#include "hopper.cuh"

/* Eight bytes a field. */
struct body_block {
    const void *norm_weight, *norm_bias; /* [128]; null: no norm */
    const uint8_t *up;                   /* [512, 128] */
    const uint8_t *down;                 /* [out, 512] */
    const void *up_bias, *down_bias;     /* or null */
    int32_t norm_weight_type, norm_bias_type;
    int32_t up_bias_type, down_bias_type;
    int32_t out, residual; /* out: 128; in the last block any multiple of 64 up to 512 */
};

enum { BODY_BLOCKS = 4 };

/* The last parameter of the kernel: its fields are passed as so many 64-bit parameters. */
struct body_network {
    body_block block[BODY_BLOCKS];
    const float *embeddings; /* [descriptions, width]: columns 0 to 63 of x come from these; or null */
    const int *description;  /* [n]: of a row */
    const uint8_t *task;     /* bf16 [64, width] */
    const void *task_bias, *task_norm_weight, *task_norm_bias;
    int32_t task_bias_type, task_norm_weight_type;
    int32_t task_norm_bias_type;
    float eps;
};

enum { BODY_CLUSTER = 8, BODY_ROWS = 8, LATENT = 128, INNER = 512, OWN = INNER / BODY_CLUSTER, TASK = LATENT / 2, TASK_OWN = TASK / BODY_CLUSTER };

#ifdef T2L_HOPPER

enum {
    BODY_THREADS = 256,
    UP_PITCH = LATENT * 2 + 16,
    DOWN_PITCH = OWN * 2 + 16,
    UP_BYTES = OWN * UP_PITCH,
    SUM_PITCH = LATENT + 4
};

/* Rows of `bytes` bytes each, `row_bytes` apart, to rows `pitch` apart; arrives at `full` when all is there. */
INLINE void body_fetch(uint64_t *full, uint8_t *to, int pitch, const uint8_t *from, int64_t row_bytes, int rows, int bytes) {
    const int each = bytes / 16;
    for (int i = threadIdx.x; i < rows * each; i += BODY_THREADS) {
        copy_async(to + i / each * pitch + i % each * 16, from + i / each * row_bytes + i % each * 16, 16);
    }
    barrier_arrive_copied(full);
}

INLINE float4 body_four(const void *p, int type, int i) {
    return type == T2L_F32 && (uintptr_t)p % 16 == 0 ? *(const float4 *)((const float *)p + i)
                                                     : make_float4(element(p, type, i), element(p, type, i + 1), element(p, type, i + 2), element(p, type, i + 3));
}

INLINE float4 body_silu(float4 v) {
    return make_float4(apply<T2L_SILU>(v.x), apply<T2L_SILU>(v.y), apply<T2L_SILU>(v.z), apply<T2L_SILU>(v.w));
}

INLINE float4 body_added(float4 v, float4 u) {
    return make_float4(v.x + u.x, v.y + u.y, v.z + u.z, v.w + u.w);
}

/* Over LANES neighbouring lanes. */
template <int LANES> INLINE float lanes_sum(float v) {
#pragma unroll
    for (int step = LANES / 2; step > 0; step /= 2) {
        v += __shfl_xor_sync(~0u, v, step);
    }
    return v;
}

/* The layer norm of a row that LANES lanes have four elements each of. */
template <int LANES> INLINE float4 body_norm(float4 v, float4 weight, float4 bias, float eps) {
    const float mean = lanes_sum<LANES>((v.x + v.y) + (v.z + v.w)) / (4 * LANES);
    v = make_float4(v.x - mean, v.y - mean, v.z - mean, v.w - mean);
    const float factor = 1 / sqrtf(lanes_sum<LANES>((v.x * v.x + v.y * v.y) + (v.z * v.z + v.w * v.w)) / (4 * LANES) + eps);
    return make_float4(fmaf(v.x * factor, weight.x, bias.x), fmaf(v.y * factor, weight.y, bias.y), fmaf(v.z * factor, weight.z, bias.z), fmaf(v.w * factor, weight.w, bias.w));
}

/* This block's outputs of the task encoder for the cluster's rows, [rows][8] to `to`; a warp an output. */
INLINE void body_task(float *to, const body_network &net, int width, int rank, int64_t first, int64_t n, int rows) {
    const int lane = threadIdx.x % WARP, o = threadIdx.x / WARP;
    const uint8_t *w = net.task + (int64_t)(rank * TASK_OWN + o) * width * 2;
    int before = -1;
    float sum = 0;
    for (int row = 0; row < rows; row++) {
        const int description = net.description[min(first + row, n - 1)];
        if (description != before) {
            const float *x = net.embeddings + (int64_t)description * width;
            sum = 0;
#pragma unroll 4
            for (int k = lane * 8; k < width; k += WARP * 8) {
                const uint4 u = *(const uint4 *)(w + k * 2);
                const float4 a = fresh4(x + k, true), b = fresh4(x + k + 4, true);
                sum = fmaf(__uint_as_float(u.x << 16), a.x, sum);
                sum = fmaf(__uint_as_float(u.x & 0xffff0000), a.y, sum);
                sum = fmaf(__uint_as_float(u.y << 16), a.z, sum);
                sum = fmaf(__uint_as_float(u.y & 0xffff0000), a.w, sum);
                sum = fmaf(__uint_as_float(u.z << 16), b.x, sum);
                sum = fmaf(__uint_as_float(u.z & 0xffff0000), b.y, sum);
                sum = fmaf(__uint_as_float(u.w << 16), b.z, sum);
                sum = fmaf(__uint_as_float(u.w & 0xffff0000), b.w, sum);
            }
            sum = warp_sum(sum);
            sum += net.task_bias == nullptr ? 0 : element(net.task_bias, net.task_bias_type, rank * TASK_OWN + o);
            before = description;
        }
        if (lane == 0) {
            to[row * TASK_OWN + o] = sum;
        }
    }
}

/* Four columns of one of the cluster's rows, a lane each: x, or what the task encoder makes of `outputs` where those are its columns. */
INLINE float4 body_task_norm(float4 x, const float *outputs, const body_network &net, int row) {
    const int lane = threadIdx.x % WARP, column = lane % 16 * 4;
    const float4 u = load_cluster(outputs + row * TASK_OWN + column % TASK_OWN, column / TASK_OWN);
    const float4 encoded = body_norm<16>(u, body_four(net.task_norm_weight, net.task_norm_weight_type, column), body_four(net.task_norm_bias, net.task_norm_bias_type, column), net.eps);
    return lane < 16 ? encoded : x;
}

/* The norm that a block begins with, of a row that a warp has. */
INLINE float4 body_block_norm(float4 v, const body_block &block, float eps) {
    const int column = threadIdx.x % WARP * 4;
    return block.norm_weight == nullptr ? v : body_norm<32>(v, body_four(block.norm_weight, block.norm_weight_type, column), body_four(block.norm_bias, block.norm_bias_type, column), eps);
}

/* Four outputs from o on: of the sums that all blocks of the cluster have at `partial`. */
INLINE float4 body_finished(const float *partial, const body_block &block, int o) {
    float4 parts[BODY_CLUSTER];
#pragma unroll
    for (int s = 0; s < BODY_CLUSTER; s++) {
        parts[s] = load_cluster(partial, s);
    }
    float4 sum = block.down_bias == nullptr ? make_float4(0, 0, 0, 0) : body_four(block.down_bias, block.down_bias_type, o);
#pragma unroll
    for (int s = 0; s < BODY_CLUSTER; s++) {
        sum = body_added(sum, parts[s]);
    }
    return body_silu(sum);
}
#endif
