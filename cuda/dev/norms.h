/* Layer norms for checks. */
#pragma once

#include "weights.h"

/* In double. */
static std::vector<double> layer_norms(const std::vector<float> &x, int64_t n, int64_t d, const std::vector<float> &weight, const std::vector<float> &bias, double eps) {
    std::vector<double> y(x.begin(), x.end());
    for (int64_t i = 0; i < n; i++) {
        double mean = 0, squares = 0;
        for (int64_t k = 0; k < d; k++) {
            mean += y[i * d + k] / d;
        }
        for (int64_t k = 0; k < d; k++) {
            squares += (y[i * d + k] - mean) * (y[i * d + k] - mean) / d;
        }
        for (int64_t k = 0; k < d; k++) {
            y[i * d + k] = (y[i * d + k] - mean) / sqrt(squares + eps) * weight[k] + bias[k];
        }
    }
    return y;
}

/* Mean and squared deviations of every 64 elements. */
static std::vector<float> parts_of(const std::vector<float> &x, int64_t n, int64_t d) {
    std::vector<float> parts;
    for (int64_t part = 0; part < n * d / 64; part++) {
        double mean = 0, squares = 0;
        for (int k = 0; k < 64; k++) {
            mean += x[part * 64 + k] / 64.0;
        }
        for (int k = 0; k < 64; k++) {
            squares += (x[part * 64 + k] - mean) * (x[part * 64 + k] - mean);
        }
        parts.push_back((float)mean);
        parts.push_back((float)squares);
    }
    return parts;
}

static std::vector<float> floats(const std::vector<double> &v) {
    return std::vector<float>(v.begin(), v.end());
}
