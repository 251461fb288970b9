/*
 * Cross-entropy with label smoothing s, and its gradient in place of the logits: see dev.t2l.backend.Gradients.crossEntropy.
 *
 * Bytes: a row is read twice and written, the second time from the second cache. A block takes a row: every thread the largest of its
 * elements and the sum of exponentials below that, then all of them (in double), then the gradient.
 */
#include "common.cuh"

/* Over a block, in every thread. */
INLINE float block_max(float v) {
    __shared__ float most[WARP];
    v = warp_max(v);
    __syncthreads();
    if (threadIdx.x % WARP == 0) {
        most[threadIdx.x / WARP] = v;
    }
    __syncthreads();
    for (int i = 0; i < (int)blockDim.x / WARP; i++) {
        v = fmaxf(v, most[i]);
    }
    return v;
}

/* e to the power of a difference; 1 for equals, also infinite ones */
INLINE float exp_gap(float x, float most) {
    return x == most ? 1 : expf(x - most);
}

KERNEL __launch_bounds__(512) cross_entropy(float *loss, float *logits, int64_t vocabulary, const int *labels, const float *weight, float smoothing, int *fault) {
    float *x = logits + blockIdx.x * vocabulary;
    const int label = labels[blockIdx.x];
    if (label < 0 || label >= vocabulary) {
        if (label >= 0) {
            report(fault, T2L_FAULT_CROSS_ENTROPY);
        }
        for (int64_t i = threadIdx.x; i < vocabulary; i += blockDim.x) {
            x[i] = 0;
        }
        if (threadIdx.x == 0) {
            loss[blockIdx.x] = 0;
        }
        return;
    }
    float most = -INFINITY;
    double total = 0, sum = 0;
#pragma unroll 4
    for (int64_t i = threadIdx.x; i < vocabulary; i += blockDim.x) {
        float v = x[i];
        if (v > most) {
            total *= exp_gap(most, v);
            most = v;
        }
        total += exp_gap(v, most);
        sum += v;
    }
    const float of_label = x[label];
    const float largest = block_max(most);
    total = block_sum(total * exp_gap(most, largest));
    sum = block_sum(sum); /* all threads have read the label's logit */
    const float of = weight[blockIdx.x];
    if (threadIdx.x == 0) {
        double log_total = largest + log(total);
        loss[blockIdx.x] = (float)(of * ((1 - (double)smoothing) * (log_total - of_label) + smoothing * (log_total - sum / (double)vocabulary)));
    }
    const float part = (float)(1 / total);
    const float share = smoothing / (float)vocabulary;
    for (int64_t i = threadIdx.x; i < vocabulary; i += blockDim.x) {
        float p = exp_gap(x[i], largest) * part;
        x[i] = of * (p - (i == label ? share + (1 - smoothing) : share));
    }
}
