/*
 * One LoRA factor of every layer, out of a hypernetwork head's output: see dev.t2l.backend.Backend.loraFactor.
 *
 * Bytes: y, scale and shift read, out written. A thread makes one element after another, in the order of out, which is what must be
 * coalesced; a transposed factor reads y rank by rank, and the second cache has the rest of each line for its neighbours.
 */
#include "common.cuh"

/* out [layers, rank, features], or [layers, features, rank] if transposed */
KERNEL lora_factor_cut(float *out, int64_t layers, int64_t rank, int64_t features, const float *y, int64_t layer_stride, int64_t rank_stride,
                       int transposed, const float *scale, const float *shift) {
    const int64_t size = rank * features;
    for (int64_t e = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; e < layers * size; e += (int64_t)gridDim.x * blockDim.x) {
        int64_t layer = e / size;
        int64_t at = e % size;
        int64_t k = transposed ? at % rank : at / features;
        int64_t i = transposed ? at / rank : at % features;
        float v = y[layer * layer_stride + k * rank_stride + i];
        v = scale == nullptr ? v : __fmul_rn(v, scale[e]);
        out[e] = shift == nullptr ? v : __fadd_rn(v, shift[e]);
    }
}

/* Backwards: dy [where out came from] = dout, times scale unless that is null. */
KERNEL lora_factor_back(float *dy, int64_t layers, int64_t rank, int64_t features, const float *dout, int64_t layer_stride, int64_t rank_stride,
                        int transposed, const float *scale) {
    const int64_t size = rank * features;
    for (int64_t e = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; e < layers * size; e += (int64_t)gridDim.x * blockDim.x) {
        int64_t layer = e / size;
        int64_t at = e % size;
        int64_t k = transposed ? at % rank : at / features;
        int64_t i = transposed ? at / rank : at % features;
        dy[layer * layer_stride + k * rank_stride + i] = scale == nullptr ? dout[e] : dout[e] * scale[e];
    }
}
