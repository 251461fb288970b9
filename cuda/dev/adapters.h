/* Adapters for the checks of this folder, and what they add. */
#pragma once

#include "../lora.cuh"
#include "check.h"

static std::vector<float> normals(size_t n, random_numbers &r) {
    std::vector<float> v(n);
    for (float &f : v) {
        f = r.normal();
    }
    return v;
}

/* A batch of adapters on host and device. */
struct batch {
    int64_t n, in, out, per_row, head_dim, stride = 0;
    std::vector<int> ranks;
    std::vector<std::vector<float>> a, b;
    std::vector<float> scales, weights;
    std::vector<int32_t> slots;
    std::vector<device<float>> da, db;
    device<lora_factor> table;
    device<int32_t> dslots;
    device<float> dweights, low;

    batch(int64_t n, int64_t in, int64_t out, int64_t per_row, int64_t head_dim, std::vector<int> ranks, std::vector<int32_t> slots, random_numbers &r)
        : n(n), in(in), out(out), per_row(per_row), head_dim(head_dim), ranks(ranks), slots(slots) {
        std::vector<lora_factor> entries;
        for (int rank : ranks) {
            a.push_back(normals(rank * in, r));
            b.push_back(normals(out * rank, r));
            scales.push_back(0.25f * (1 + r.below(8)));
            da.emplace_back(a.back());
            db.emplace_back(b.back());
            entries.push_back({da.back().data, db.back().data, rank, scales.back()});
            stride = std::max<int64_t>(stride, rank);
        }
        for (int64_t i = 0; i < n * per_row; i++) {
            weights.push_back(r.below(5) == 0 ? 0 : r.normal());
        }
        table = device<lora_factor>(entries);
        dslots = device<int32_t>(slots);
        dweights = device<float>(weights);
        low = device<float>(n * per_row * stride);
    }

    lora_rows rows() const {
        return {table.data, (int64_t)ranks.size(), dslots.data, dweights.data, per_row, head_dim, low.data, stride};
    }

    void expected(std::vector<double> &y, const std::vector<float> &x) const {
        for (int64_t i = 0; i < n; i++) {
            for (int64_t s = i * per_row; s < (i + 1) * per_row && slots[s] >= 0; s++) {
                int f = slots[s];
                std::vector<double> low(ranks[f]);
                for (int k = 0; k < ranks[f]; k++) {
                    for (int64_t j = 0; j < in; j++) {
                        low[k] += (double)x[i * in + j] * a[f][k * in + j];
                    }
                }
                for (int64_t o = 0; o < out; o++) {
                    double sum = 0;
                    for (int k = 0; k < ranks[f]; k++) {
                        sum += low[k] * b[f][o * ranks[f] + k];
                    }
                    int64_t at = head_dim == 0 ? o : o / head_dim * head_dim + o % head_dim % (head_dim / 2) * 2 + o % head_dim / (head_dim / 2);
                    y[i * out + at] += (double)weights[s] * scales[f] * sum;
                }
            }
        }
    }
};
