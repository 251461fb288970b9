/*
 * out = x / sqrt(mean(x^2) + eps) * (weight + offset), a row at a time; out may be x
 *
 * Bytes: 8 an element. A block of 256 threads takes a row (norms.cuh); squares are summed in double.
 */
#include "norms.cuh"

INLINE float rms_factor(double squares, int64_t d, float eps) {
    return (float)(1 / sqrt(block_sum(squares) / (double)d + eps));
}

template <int N> INLINE void in_registers(float *out, const float *x, int64_t d, const uint8_t *weight, int type, float eps, float offset) {
    norm_row<N> row, scale;
    row.load(x, d);
    scale.each(d, [&](int i, int64_t at) { scale.v[i] = row_elements4(weight, type, at); });
    double a = 0, b = 0;
#pragma unroll
    for (int i = 0; i < N; i++) {
        float4 v = row.v[i];
        a += (double)v.x * v.x + (double)v.y * v.y;
        b += (double)v.z * v.z + (double)v.w * v.w;
    }
    float factor = rms_factor(a + b, d, eps);
    row.each(d, [&](int i, int64_t at) {
        float4 v = row.v[i], w = scale.v[i];
        *(float4 *)(out + at) = make_float4(v.x * factor * (w.x + offset), v.y * factor * (w.y + offset), v.z * factor * (w.z + offset), v.w * factor * (w.w + offset));
    });
}

KERNEL __launch_bounds__(NORM_THREADS, 3) rms_norm(float *out, const float *x, int64_t d, const uint8_t *weight, int type, float eps, float offset) {
    x += blockIdx.x * d;
    out += blockIdx.x * d;
    if (norm_vectors(out, x, x, d)) {
        if (d <= 4 * NORM_THREADS) {
            in_registers<1>(out, x, d, weight, type, eps, offset);
        } else {
            in_registers<4>(out, x, d, weight, type, eps, offset);
        }
        return;
    }
    double squares = 0;
    for (int64_t i = threadIdx.x; i < d; i += NORM_THREADS) {
        squares += (double)x[i] * x[i];
    }
    float factor = rms_factor(squares, d, eps);
    for (int64_t i = threadIdx.x; i < d; i += NORM_THREADS) {
        out[i] = x[i] * factor * (row_element(weight, type, i) + offset);
    }
}
