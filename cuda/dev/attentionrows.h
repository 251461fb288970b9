/* Sequences, queries and keys for the checks of attention backwards, and its gradients in double. */
#pragma once

#include "../attentionbackward.cuh"
#include "check.h"

/* Sequences of these lengths, one after the other, causal or not. */
struct sequences {
    std::vector<int> ranges, seen;

    sequences(bool causal, std::vector<int> lengths) {
        int start = 0;
        for (int length : lengths) {
            for (int i = start; i < start + length; i++) {
                ranges.insert(ranges.end(), {start, causal ? i + 1 : start + length});
                seen.insert(seen.end(), {causal ? i : start, start + length});
            }
            start += length;
        }
    }
    int64_t n() const {
        return ranges.size() / 2;
    }
};

struct problem {
    attention_shape s;
    sequences rows;
    std::vector<float> q, k, v, out, dout;
    device<float> dq, dk, dv, dout_there, out_there, q_there, k_there, v_there, sums, deltas;
    device<int> ranges, seen, fault;

    problem(attention_shape shape, sequences rows, random_numbers &r)
        : s(shape), rows(rows), q(normals(rows.n() * s.heads * s.head_dim, r)), k(normals(rows.n() * s.kv_heads * s.head_dim, r)),
          v(normals(k.size(), r)), out(q.size()), dout(normals(q.size(), r)), ranges(rows.ranges), seen(rows.seen), fault(std::vector<int>{0}) {
        s.kv_rows = rows.n();
    }

    double dot(const std::vector<float> &a, int64_t i, const std::vector<float> &b, int64_t j) const {
        double sum = 0;
        for (int x = 0; x < s.head_dim; x++) {
            sum += (double)a[i * s.head_dim + x] * b[j * s.head_dim + x];
        }
        return sum;
    }

    /* out, and the gradients in double */
    void expected(std::vector<double> &eq, std::vector<double> &ek, std::vector<double> &ev) {
        int d = s.head_dim;
        eq.assign(q.size(), 0);
        ek.assign(k.size(), 0);
        ev.assign(k.size(), 0);
        for (int64_t i = 0; i < rows.n(); i++) {
            for (int h = 0; h < s.heads; h++) {
                int64_t item = i * s.heads + h;
                int to = rows.ranges[2 * i + 1], from = std::max(rows.ranges[2 * i], s.window > 0 ? to - s.window : 0);
                std::vector<double> scores, o(d);
                double largest = -1e300, total = 0, delta = 0;
                auto key = [&](int t) { return (int64_t)t * s.kv_heads + h / (s.heads / s.kv_heads); };
                for (int t = from; t < to; t++) {
                    double v = s.scale * dot(q, item, k, key(t));
                    scores.push_back(s.softcap == 0 ? v : s.softcap * tanh(v / s.softcap));
                    largest = std::max(largest, scores.back());
                }
                for (double v : scores) {
                    total += exp(v - largest);
                }
                for (int t = from; t < to; t++) {
                    for (int x = 0; x < d; x++) {
                        o[x] += exp(scores[t - from] - largest) / total * v[key(t) * d + x];
                    }
                }
                for (int x = 0; x < d; x++) {
                    out[item * d + x] = (float)o[x];
                    delta += o[x] * dout[item * d + x];
                }
                for (int t = from; t < to; t++) {
                    double p = exp(scores[t - from] - largest) / total, cap = s.softcap == 0 ? 0 : scores[t - from] / s.softcap;
                    double ds = p * (dot(dout, item, v, key(t)) - delta) * s.scale * (1 - cap * cap);
                    for (int x = 0; x < d; x++) {
                        eq[item * d + x] += ds * k[key(t) * d + x];
                        ek[key(t) * d + x] += ds * q[item * d + x];
                        ev[key(t) * d + x] += p * dout[item * d + x];
                    }
                }
            }
        }
    }

    attention_tensors upload() {
        dq = device<float>(q.size());
        dk = device<float>(k.size());
        dv = device<float>(k.size());
        sums = device<float>(rows.n() * s.heads);
        deltas = device<float>(rows.n() * s.heads);
        q_there = device<float>(q);
        k_there = device<float>(k);
        v_there = device<float>(v);
        out_there = device<float>(out);
        dout_there = device<float>(dout);
        return {q_there.data, k_there.data, v_there.data, out_there.data, dout_there.data, dq.data, dk.data, dv.data, sums.data, deltas.data,
                ranges.data, seen.data, rows.n(), fault.data};
    }
};
