/*
 * out = (y - mean) / sqrt(var + eps) * weight + bias, a row at a time; y = x, or x + residual; biased variance; out may be x
 *
 * Bytes: 8 an element, 12 with a residual. A block of 256 threads takes a row (norms.cuh); sums are in double.
 */
#include "norms.cuh"

struct affine {
    const uint8_t *weight, *bias;
    int type, bias_type;
    float eps;
};

INLINE float normed(float x, double mean, double factor, float weight, float bias) {
    return fmaf((float)((x - mean) * factor), weight, bias);
}

template <int N> INLINE void in_registers(float *out, const float *x, const float *residual, int64_t d, const affine &to) {
    norm_row<N> row, other, weight, bias;
    row.load(x, d);
    if (residual != nullptr) {
        other.load(residual, d);
    }
    weight.each(d, [&](int i, int64_t at) {
        weight.v[i] = row_elements4(to.weight, to.type, at);
        bias.v[i] = row_elements4(to.bias, to.bias_type, at);
    });
    double sum = 0, squares = 0;
#pragma unroll
    for (int i = 0; i < N; i++) {
        float4 &v = row.v[i];
        if (residual != nullptr) {
            float4 r = other.v[i];
            v = make_float4(__fadd_rn(v.x, r.x), __fadd_rn(v.y, r.y), __fadd_rn(v.z, r.z), __fadd_rn(v.w, r.w));
        }
        sum += ((double)v.x + v.y) + ((double)v.z + v.w);
    }
    double mean = block_sum(sum) / (double)d;
    row.each(d, [&](int i, int64_t) {
        double a = row.v[i].x - mean, b = row.v[i].y - mean, c = row.v[i].z - mean, e = row.v[i].w - mean;
        squares += (a * a + b * b) + (c * c + e * e);
    });
    double factor = 1 / sqrt(block_sum(squares) / (double)d + to.eps);
    row.each(d, [&](int i, int64_t at) {
        float4 v = row.v[i], w = weight.v[i], b = bias.v[i];
        *(float4 *)(out + at) = make_float4(normed(v.x, mean, factor, w.x, b.x), normed(v.y, mean, factor, w.y, b.y), normed(v.z, mean, factor, w.z, b.z),
                                            normed(v.w, mean, factor, w.w, b.w));
    });
}

KERNEL __launch_bounds__(NORM_THREADS, 3) layer_norm(float *out, const float *x, const float *residual, int64_t d, const uint8_t *weight, int type,
                                                  const uint8_t *bias, int bias_type, float eps) {
    affine to = {weight, bias, type, bias_type, eps};
    x += blockIdx.x * d;
    out += blockIdx.x * d;
    residual = residual == nullptr ? residual : residual + blockIdx.x * d;
    if (norm_vectors(out, x, residual, d)) {
        if (d <= 4 * NORM_THREADS) {
            in_registers<1>(out, x, residual, d, to);
        } else {
            in_registers<4>(out, x, residual, d, to);
        }
        return;
    }
    auto element_at = [&](int64_t i) { return residual == nullptr ? x[i] : __fadd_rn(x[i], residual[i]); };
    double sum = 0, squares = 0;
    for (int64_t i = threadIdx.x; i < d; i += NORM_THREADS) {
        sum += element_at(i);
    }
    double mean = block_sum(sum) / (double)d;
    for (int64_t i = threadIdx.x; i < d; i += NORM_THREADS) {
        double centred = element_at(i) - mean;
        squares += centred * centred;
    }
    double factor = 1 / sqrt(block_sum(squares) / (double)d + eps);
    for (int64_t i = threadIdx.x; i < d; i += NORM_THREADS) {
        out[i] = normed(element_at(i), mean, factor, row_element(weight, type, i), row_element(bias, bias_type, i));
    }
}
