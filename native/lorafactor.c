/* One LoRA factor of every layer, out of a hypernetwork head's output, and its gradient's way back; see dev.t2l.backend.Backend and Gradients. */
#include "kernel.h"

typedef struct {
    float *out;
    int64_t rank, features;
    const float *y;
    int64_t layer_stride, rank_stride;
    int32_t transposed;
    const float *scale, *shift;
    split split;
} lora_factor_job;

static void layers(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const lora_factor_job *j = job;
    int64_t rank_step = j->transposed ? 1 : j->features;
    int64_t feature_step = j->transposed ? j->rank : 1;
    for (int64_t l = first_item(&j->split, piece); l < last_item(&j->split, piece); l++) {
        for (int64_t k = 0; k < j->rank; k++) {
            const float *y = j->y + l * j->layer_stride + k * j->rank_stride;
            int64_t to = l * j->rank * j->features + k * rank_step;
            for (int64_t i = 0; i < j->features; i++, to += feature_step) {
                double v = y[i];
                v = j->scale == NULL ? v : v * j->scale[to];
                j->out[to] = (float)(j->shift == NULL ? v : v + j->shift[to]);
            }
        }
    }
}

int32_t T2L_KERNEL(lora_factor)(const t2l_engine *e, float *out, int64_t n_layers, int64_t rank, int64_t features, const float *y,
                                int64_t layer_stride, int64_t rank_stride, int32_t transposed, const float *scale, const float *shift) {
    if (n_layers < 0 || rank < 0 || features < 0 || layer_stride < 0 || rank_stride < 0) {
        return T2L_BAD_SIZE;
    }
    lora_factor_job job = {out, rank, features, y, layer_stride, rank_stride, transposed, scale, shift,
                           split_items(e, n_layers, 1, n_layers * rank * features)};
    run_split(e, &job.split, layers, &job);
    return T2L_OK;
}

typedef struct {
    float *dy;
    const float *dout;
    int64_t rank, features, layer_stride, rank_stride;
    int32_t transposed;
    const float *scale;
    split split;
} backward_job;

static void layers_backward(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const backward_job *j = job;
    int64_t rank_step = j->transposed ? 1 : j->features;
    int64_t feature_step = j->transposed ? j->rank : 1;
    for (int64_t l = first_item(&j->split, piece); l < last_item(&j->split, piece); l++) {
        for (int64_t k = 0; k < j->rank; k++) {
            float *dy = j->dy + l * j->layer_stride + k * j->rank_stride;
            int64_t from = l * j->rank * j->features + k * rank_step;
            for (int64_t i = 0; i < j->features; i++, from += feature_step) {
                dy[i] = j->scale == NULL ? j->dout[from] : j->dout[from] * j->scale[from];
            }
        }
    }
}

int32_t T2L_KERNEL(lora_factor_backward)(const t2l_engine *e, float *dy, const float *dout, int64_t n_layers, int64_t rank, int64_t features,
                                         int64_t layer_stride, int64_t rank_stride, int32_t transposed, const float *scale) {
    if (n_layers < 0 || rank < 0 || features < 0 || layer_stride < 0 || rank_stride < 0) {
        return T2L_BAD_SIZE;
    }
    backward_job job = {dy, dout, rank, features, layer_stride, rank_stride, transposed, scale,
                        split_items(e, n_layers, 1, n_layers * rank * features)};
    run_split(e, &job.split, layers_backward, &job);
    return T2L_OK;
}
