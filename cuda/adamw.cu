/*
 * One step of AdamW (Loshchilov and Hutter 2019), as torch.optim.AdamW has it: see dev.t2l.backend.Gradients.adamW.
 *
 * Bytes: 28 an element. Computed in double, rounded where stored.
 */
#include "common.cuh"

/* The last parameter: eight doubles. decay = 1 - rate * weight decay; first, second: 1 - beta^step */
struct adamw_step {
    double rate, beta1, beta2, eps, decay, first, second, grad_scale;
};

KERNEL adamw(float *w, const float *g, float *m, float *v, int64_t n, adamw_step s) {
    for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
        double gradient = g[i] * s.grad_scale;
        double mean = s.beta1 * m[i] + (1 - s.beta1) * gradient;
        double square = s.beta2 * v[i] + (1 - s.beta2) * gradient * gradient;
        m[i] = (float)mean;
        v[i] = (float)square;
        w[i] = (float)(w[i] * s.decay - s.rate * (mean / s.first) / (sqrt(square / s.second) + s.eps));
    }
}
