/*
 * A hypernetwork's body on Hopper, in one launch: the task encoder, and up to four blocks r + silu(down(silu(up(norm(x))))), each with or
 * without norm and residual r = x. Latent width 128, 512 inside, bf16 weights.
 *
 * A cluster of eight blocks takes eight rows through all of it: a block has 64 of the 512 inner outputs of every `up`, and what they
 * contribute to all outputs of `down`, so that blocks exchange sums once a block of the network, through each other's shared memory. All weights,
 * 176 KB of a block's own, are under way before the first is needed; weights are read once a cluster, from the second cache.
 * Products are mma's with weights as first operand and eight rows as the second, as high and low parts in bf16, to 16 bits or more.
 *
 * 256 threads; between products warp w has row w, a lane four columns. Bits: a row's sums do not depend on the others.
 */
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
    X_PITCH = LATENT + 8,
    H_PITCH = OWN + 8,
    SUM_PITCH = LATENT + 4,
    /* Shared memory: barriers, task outputs, x, h, sums of blocks in turn, so that the last one's have the end, then weights. */
    AT_TASK = 64,
    AT_X = AT_TASK + BODY_ROWS * TASK_OWN * 4,
    AT_H = AT_X + BODY_ROWS * X_PITCH * 4,
    AT_OTHER = AT_H + BODY_ROWS * H_PITCH * 4,
    AT_LAST = AT_OTHER + BODY_ROWS * SUM_PITCH * 4
};

INLINE int sum_pitch(int out) {
    return out + 4;
}

/* One of 16 x 8 sums over 16 * STEPS of k: weights [16][PITCH] by x [8][X] in f32. */
template <int STEPS, int PITCH, int X> INLINE void body_product(float sums[4], const uint8_t *w, const float *x) {
    const int lane = threadIdx.x % WARP;
    const uint8_t *row = w + lane % 16 * PITCH + lane / 16 * 16;
    const float *from = x + lane / 4 * X + lane % 4 * 2;
    float high[4] = {}, low[4] = {};
#pragma unroll
    for (int step = 0; step < STEPS; step++) {
        const uint4 a = load_matrices(row + step * 32);
        const float2 u = *(const float2 *)(from + step * 16), v = *(const float2 *)(from + step * 16 + 8);
        const uint4 parts = split4(u.x, u.y, v.x, v.y);
        mma(high, a, parts.x, parts.z);
        mma(low, a, parts.y, parts.w);
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        sums[i] = high[i] + low[i];
    }
}

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

/* This block's outputs of the task encoder for its rows, [8][8] to `to`; a warp an output. */
INLINE void body_task(float *to, const body_network &net, int width, int rank, int64_t first, int64_t n) {
    const int lane = threadIdx.x % WARP, o = threadIdx.x / WARP;
    const uint8_t *w = net.task + (int64_t)(rank * TASK_OWN + o) * width * 2;
    int before = -1;
    float sum = 0;
    for (int row = 0; row < BODY_ROWS; row++) {
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

INLINE void hyper_body_body(float *out, const float *x, int64_t n, int width, int blocks, const body_network &net) {
    OPERANDS_SHARED(shared);
    uint64_t *full = (uint64_t *)shared; /* of up and down in turn */
    float *task = (float *)(shared + AT_TASK), *xs = (float *)(shared + AT_X), *hs = (float *)(shared + AT_H);
    const int rank = blockIdx.x % BODY_CLUSTER, lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    const int64_t first = blockIdx.x / BODY_CLUSTER * (int64_t)BODY_ROWS, row = first + warp;
    const int last = net.block[blocks - 1].out;
    uint8_t *weights = shared + AT_LAST + BODY_ROWS * sum_pitch(max((int)LATENT, last)) * 4;
    if (threadIdx.x == 0) {
        for (int i = 0; i < 2 * blocks; i++) {
            barrier_init(full + i, BODY_THREADS);
        }
        barriers_ready();
    }
    __syncthreads();
    let_next_launch_begin();
    uint8_t *to = weights;
    for (int b = 0; b < blocks; b++) {
        const body_block &block = net.block[b];
        body_fetch(full + 2 * b, to, UP_PITCH, block.up + (int64_t)rank * OWN * LATENT * 2, LATENT * 2, OWN, LATENT * 2);
        to += UP_BYTES;
        body_fetch(full + 2 * b + 1, to, DOWN_PITCH, block.down + rank * OWN * 2, INNER * 2, block.out, OWN * 2);
        to += block.out * DOWN_PITCH;
    }
    if (net.embeddings != nullptr && lane == 0) {
        prefetch(net.task + (int64_t)(rank * TASK_OWN + warp) * width * 2, width * 2);
    }
    wait_for_launches_before();

    float4 v = fresh4(x + min(row, n - 1) * LATENT + lane * 4, true);
    if (net.embeddings != nullptr) {
        body_task(task, net, width, rank, first, n);
        cluster_meet();
        const int column = lane % 16 * 4;
        const float4 u = load_cluster(task + warp * TASK_OWN + column % TASK_OWN, column / TASK_OWN);
        const float4 encoded = body_norm<16>(u, body_four(net.task_norm_weight, net.task_norm_weight_type, column),
                                             body_four(net.task_norm_bias, net.task_norm_bias_type, column), net.eps);
        v = lane < 16 ? encoded : v;
    }
    const uint8_t *w = weights;
    for (int b = 0; b < blocks; b++) {
        const body_block &block = net.block[b];
        float4 in = v;
        if (block.norm_weight != nullptr) {
            in = body_norm<32>(v, body_four(block.norm_weight, block.norm_weight_type, lane * 4), body_four(block.norm_bias, block.norm_bias_type, lane * 4), net.eps);
        }
        *(float4 *)(xs + warp * X_PITCH + lane * 4) = in;
        barrier_wait(full + 2 * b, 0);
        __syncthreads();
        if (warp < OWN / 16) {
            float sums[4];
            body_product<LATENT / 16, UP_PITCH, X_PITCH>(sums, w + warp * 16 * UP_PITCH, xs);
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const int o = warp * 16 + lane / 4 + i / 2 * 8;
                const float bias = block.up_bias == nullptr ? 0 : element(block.up_bias, block.up_bias_type, rank * OWN + o);
                hs[(lane % 4 * 2 + i % 2) * H_PITCH + o] = apply<T2L_SILU>(sums[i] + bias);
            }
        }
        w += UP_BYTES;
        barrier_wait(full + 2 * b + 1, 0);
        __syncthreads();
        float *partial = (float *)(shared + ((blocks - b) % 2 == 1 ? AT_LAST : AT_OTHER)); /* others still read those of the block before */
        const int pitch = sum_pitch(block.out);
        for (int tile = warp; tile < block.out / 16; tile += BODY_THREADS / WARP) {
            float sums[4];
            body_product<OWN / 16, DOWN_PITCH, H_PITCH>(sums, w + tile * 16 * DOWN_PITCH, hs);
#pragma unroll
            for (int i = 0; i < 4; i++) {
                partial[(lane % 4 * 2 + i % 2) * pitch + tile * 16 + lane / 4 + i / 2 * 8] = sums[i];
            }
        }
        w += block.out * DOWN_PITCH;
        cluster_meet();
        auto finished = [&](int r, int o) {
            float4 parts[BODY_CLUSTER];
#pragma unroll
            for (int s = 0; s < BODY_CLUSTER; s++) {
                parts[s] = load_cluster(partial + r * pitch + o, s);
            }
            float4 sum = block.down_bias == nullptr ? make_float4(0, 0, 0, 0) : body_four(block.down_bias, block.down_bias_type, o);
#pragma unroll
            for (int s = 0; s < BODY_CLUSTER; s++) {
                sum = body_added(sum, parts[s]);
            }
            return body_silu(sum);
        };
        if (b + 1 < blocks) {
            const float4 y = finished(warp, lane * 4);
            v = block.residual ? body_added(v, y) : y;
        } else if (block.out == LATENT) {
            const float4 y = finished(warp, lane * 4);
            if (rank == 0 && row < n) {
                *(float4 *)(out + row * LATENT + lane * 4) = block.residual ? body_added(v, y) : y;
            }
        } else {
            const int fours = block.out / BODY_CLUSTER / 4; /* this block's columns */
            for (int item = threadIdx.x; item < BODY_ROWS * fours; item += BODY_THREADS) {
                const int r = item / fours, o = rank * fours * 4 + item % fours * 4;
                const float4 y = finished(r, o);
                if (first + r < n) {
                    *(float4 *)(out + (first + r) * block.out + o) = y;
                }
            }
        }
    }
    cluster_meet(); /* others may still read this block's sums */
}
#endif

/* x [n, 128] but for the task's columns; width of an embedding, a multiple of 8. Grid: a cluster for eight rows. */
extern "C" __global__ void __launch_bounds__(256, 1)
    hyper_body(float *out, const float *x, int64_t n, int width, int blocks, const __grid_constant__ body_network net) {
#ifdef T2L_HOPPER
    hyper_body_body(out, x, n, width, blocks, net);
#else
    __trap();
#endif
}
