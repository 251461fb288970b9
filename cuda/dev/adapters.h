/* Adapters for the checks of this folder, and what they add. */
#pragma once

#include "../lora.cuh"
#include "check.h"

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

    /* A x of row i's adapter f. */
    std::vector<double> low_of(const double *x, int f) const {
        std::vector<double> low(ranks[f]);
        for (int k = 0; k < ranks[f]; k++) {
            for (int64_t j = 0; j < in; j++) {
                low[k] += x[j] * a[f][k * in + j];
            }
        }
        return low;
    }

    /* [n, per_row, stride], as the device makes them; 0 where nothing is asked for. */
    std::vector<float> lows(const std::vector<double> &x) const {
        std::vector<float> all(n * per_row * stride);
        for (int64_t i = 0; i < n; i++) {
            for (int64_t s = i * per_row; s < (i + 1) * per_row && slots[s] >= 0; s++) {
                const std::vector<double> low = low_of(&x[i * in], slots[s]);
                std::copy(low.begin(), low.end(), &all[s * stride]);
            }
        }
        return all;
    }

    void expected(std::vector<double> &y, const std::vector<float> &x) const {
        const std::vector<double> exact(x.begin(), x.end());
        for (int64_t i = 0; i < n; i++) {
            for (int64_t s = i * per_row; s < (i + 1) * per_row && slots[s] >= 0; s++) {
                int f = slots[s];
                const std::vector<double> low = low_of(&exact[i * in], f);
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
