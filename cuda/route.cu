/*
 * The rows choose among the adapters of their lists: score_s = |prototype_s . x[i]|, the best so many scores (the first of equals)
 * become weights given * softmax(score / temperature), the others 0.
 *
 * A block has a row: a warp makes the score of one entry after the other, then the first warp chooses, a round for each chosen one.
 *
 * Bytes: the prototypes of a row's list, x once for each, both out of L2 where rows have the same list.
 *
 * Bits: a score is a sum over in of 32 lanes' shares, then over the warp; the softmax's sum is one over entries, in the same way. Neither
 * sees another row, nor how long other lists are.
 */
#include "common.cuh"

enum { THREADS = 256, WARPS = THREADS / WARP };

/* Whether (score, at) comes behind (other, place) in the order of scores, then places. */
INLINE bool behind(float score, int at, float other, int place) {
    return score < other || (score == other && at > place);
}

/* Grid: n rows. Dynamic shared memory: per_row floats. */
KERNEL route(float *weights, const float *x, int64_t in, const float *const *prototypes, int64_t count, const int32_t *slots,
             const float *given, const float *choices, int64_t per_row, int *fault) {
    extern __shared__ float scores[];
    __shared__ int length;
    const int64_t i = blockIdx.x;
    const int lane = threadIdx.x % WARP;
    const int wanted = (int)choices[2 * i];
    weights += i * per_row;
    given += i * per_row;
    slots += i * per_row;
    x += i * in;
    if (wanted == 0) {
        for (int s = threadIdx.x; s < per_row; s += THREADS) {
            weights[s] = given[s];
        }
        return;
    }
    if (threadIdx.x == 0) {
        length = (int)per_row;
    }
    __syncthreads();
    for (int s = threadIdx.x; s < per_row; s += THREADS) {
        if (slots[s] < 0) {
            atomicMin(&length, s);
        }
    }
    __syncthreads();
    for (int s = threadIdx.x / WARP; s < length; s += WARPS) {
        float sum = 0;
        if (slots[s] >= count) {
            report(fault, T2L_FAULT_LORA);
        } else {
            const float *prototype = prototypes[slots[s]];
#pragma unroll 4
            for (int64_t k = lane; k < in; k += WARP) {
                sum = fmaf(prototype[k], x[k], sum);
            }
        }
        sum = warp_sum(sum);
        if (lane == 0) {
            scores[s] = fabsf(sum);
        }
    }
    __syncthreads();
    if (threadIdx.x >= WARP) {
        return;
    }
    float best = 0;
    float last = INFINITY;
    int last_at = -1;
    for (int round = 0; round < wanted; round++) {
        float next = -1;
        int next_at = -1;
        for (int s = lane; s < length; s += WARP) {
            if (behind(scores[s], s, last, last_at) && (next_at < 0 || scores[s] > next)) {
                next = scores[s];
                next_at = s;
            }
        }
        for (int step = WARP / 2; step > 0; step /= 2) {
            float other = __shfl_xor_sync(~0u, next, step);
            int other_at = __shfl_xor_sync(~0u, next_at, step);
            if (other_at >= 0 && (next_at < 0 || behind(next, next_at, other, other_at))) {
                next = other;
                next_at = other_at;
            }
        }
        if (next_at < 0) {
            break;
        }
        last = next;
        last_at = next_at;
        best = round == 0 ? next : best;
    }
    const float temperature = choices[2 * i + 1];
    float sum = 0;
    for (int s = lane; s < length; s += WARP) {
        bool chosen = last_at >= 0 && !behind(scores[s], s, last, last_at) && scores[s] >= last;
        scores[s] = chosen ? expf((scores[s] - best) / temperature) : 0;
        sum += scores[s];
    }
    sum = warp_sum(sum);
    for (int s = lane; s < length; s += WARP) {
        weights[s] = scores[s] > 0 ? given[s] * (scores[s] / sum) : 0;
    }
}
