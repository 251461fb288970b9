/*
 * A hypernetwork's body (hyperbody.cuh) for few rows: eight a cluster. All weights, 194 KB of a block's own, are under way before the first is
 * needed; each block finishes all eight rows for itself, so that sums are exchanged once a block of the network.
 */
#include "hyperbody.cuh"

#ifdef T2L_HOPPER

enum {
    X_PITCH = LATENT + 8,
    H_PITCH = OWN + 8,
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

INLINE void hyper_body_few(float *out, const float *x, int64_t n, int width, int blocks, const body_network &net) {
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
        body_task(task, net, width, rank, first, n, BODY_ROWS);
        cluster_meet();
        v = body_task_norm(v, task, net, warp);
    }
    const uint8_t *w = weights;
    for (int b = 0; b < blocks; b++) {
        const body_block &block = net.block[b];
        *(float4 *)(xs + warp * X_PITCH + lane * 4) = body_block_norm(v, block, net.eps);
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
        if (b + 1 < blocks) {
            const float4 y = body_finished(partial + warp * pitch + lane * 4, block, lane * 4);
            v = block.residual ? body_added(v, y) : y;
        } else if (block.out == LATENT) {
            const float4 y = body_finished(partial + warp * pitch + lane * 4, block, lane * 4);
            if (rank == 0 && row < n) {
                *(float4 *)(out + row * LATENT + lane * 4) = block.residual ? body_added(v, y) : y;
            }
        } else {
            const int fours = block.out / BODY_CLUSTER / 4; /* this block's columns */
            for (int item = threadIdx.x; item < BODY_ROWS * fours; item += BODY_THREADS) {
                const int r = item / fours, o = rank * fours * 4 + item % fours * 4;
                const float4 y = body_finished(partial + r * pitch + o, block, o);
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
    hyper_body_few(out, x, n, width, blocks, net);
#else
    __trap();
#endif
}
