/* Checks the small kernels of training: norms backwards, losses, sums, scatteradd, adamw, noise, cast; see run.sh. Bytes bound them all. */
#include "../adamw.cu"
#include "../cast.cu"
#include "../crossentropy.cu"
#include "../noise.cu"
#include "../normbackward.cu"
#include "../scatteradd.cu"
#include "../sums.cu"
#include "check.h"

static std::vector<float> normals(size_t n, random_numbers &r) {
    std::vector<float> v(n);
    for (float &f : v) {
        f = r.normal();
    }
    return v;
}

static std::vector<double> doubles(const std::vector<float> &v) {
    return std::vector<double>(v.begin(), v.end());
}

static void norms(int64_t n, int64_t d, random_numbers &r) {
    std::vector<float> x = normals(n * d, r), dy = normals(n * d, r), w = normals(d, r), dx0 = normals(n * d, r), dw0 = normals(d, r), db0 = normals(d, r);
    std::vector<double> rms = doubles(dx0), layer(n * d), dw = doubles(dw0), db = doubles(db0);
    for (int64_t i = 0; i < n; i++) {
        const float *v = &x[i * d], *g = &dy[i * d];
        double squares = 0, dot = 0, mean = 0, variance = 0, all = 0, along = 0;
        for (int64_t j = 0; j < d; j++) {
            squares += (double)v[j] * v[j];
            dot += (double)v[j] * g[j] * (w[j] + 1);
            mean += v[j] / (double)d;
        }
        double factor = 1 / sqrt(squares / d + 1e-5);
        for (int64_t j = 0; j < d; j++) {
            rms[i * d + j] += g[j] * (w[j] + 1.0) * factor - v[j] * dot * factor * factor * factor / d;
            variance += (v[j] - mean) * (v[j] - mean) / d;
        }
        factor = 1 / sqrt(variance + 1e-5);
        for (int64_t j = 0; j < d; j++) {
            all += (double)g[j] * w[j] / d;
            along += (double)g[j] * w[j] * (v[j] - mean) * factor / d;
        }
        for (int64_t j = 0; j < d; j++) {
            double y = (v[j] - mean) * factor;
            layer[i * d + j] = factor * ((double)g[j] * w[j] - all - y * along);
            dw[j] += g[j] * y;
            db[j] += g[j];
        }
    }
    int64_t pieces = (n + PIECE - 1) / PIECE;
    device<float> dx(x), ddy(dy), weight(w), to(dx0), out(n * d), dweight(dw0), dbias(db0), statistics(2 * n), partial(2 * pieces * d);
    launch(rms_norm_backward, dim3(n), NORM_THREADS, 0, to.data, ddy.data, dx.data, d, (const uint8_t *)weight.data, (int)T2L_F32, 1e-5f, 1.f, 1);
    expect("rms norm backward", to.host(), rms, 1e-5);
    launch(layer_norm_backward, dim3(n), NORM_THREADS, 0, out.data, ddy.data, dx.data, d, (const uint8_t *)weight.data, (int)T2L_F32, 1e-5f, 0, statistics.data);
    launch(layer_norm_pieces, dim3((d + 255) / 256, pieces), 256, 0, partial.data, ddy.data, dx.data, n, d, statistics.data);
    launch(layer_norm_gradients, dim3((d + 255) / 256), 256, 0, dweight.data, dbias.data, partial.data, pieces, d);
    expect("layer norm backward", out.host(), layer, 1e-5);
    expect("layer norm's weight", dweight.host(), dw, 1e-5);
    expect("layer norm's bias", dbias.host(), db, 1e-5);
}

static void losses(int64_t n, int64_t vocabulary, float size, float smoothing, random_numbers &r) {
    std::vector<float> logits = normals(n * vocabulary, r), weight = normals(n, r);
    std::vector<int> labels;
    std::vector<double> loss, gradient;
    for (int64_t i = 0; i < n; i++) {
        labels.push_back(i == 1 ? -100 : r.below((int)vocabulary));
        float *x = &logits[i * vocabulary];
        double most = -1e300, total = 0, sum = 0;
        for (int64_t j = 0; j < vocabulary; j++) {
            x[j] *= size;
            most = std::max(most, (double)x[j]);
            sum += x[j];
        }
        for (int64_t j = 0; j < vocabulary; j++) {
            total += exp(x[j] - most);
        }
        double of = labels[i] < 0 ? 0 : weight[i], log_total = most + log(total);
        loss.push_back(labels[i] < 0 ? 0 : of * ((1 - smoothing) * (log_total - x[labels[i]]) + smoothing * (log_total - sum / vocabulary)));
        for (int64_t j = 0; j < vocabulary; j++) {
            gradient.push_back(of * (exp(x[j] - log_total) - (j == labels[i] ? 1 - smoothing : 0) - smoothing / vocabulary));
        }
    }
    device<float> there(logits), out(n), w(weight);
    device<int> ids(labels), fault(std::vector<int>{0});
    launch(cross_entropy, dim3(n), 512, 0, out.data, there.data, vocabulary, ids.data, w.data, smoothing, fault.data);
    expect("cross-entropy", out.host(), loss, 1e-6);
    expect("cross-entropy's gradient", there.host(), gradient, 1e-5);
    expect_true("cross-entropy: no fault", fault.host()[0] == 0);
}

static void sums(int64_t n, random_numbers &r) {
    std::vector<float> x = normals(n, r), target = normals(n, r);
    double squares = 0, absolute = 0;
    std::vector<double> gradient;
    for (int64_t i = 0; i < n; i++) {
        squares += (double)x[i] * x[i];
        absolute += fabs((double)x[i] - target[i]);
        gradient.push_back(x[i] > target[i] ? 0.5 : -0.5);
    }
    device<float> dx(x), dtarget(target), out(std::vector<float>{2}), slope(n);
    device<double> partial(3);
    launch(distance, dim3(3), 256, 0, partial.data, slope.data, dx.data, dtarget.data, n, 0.5f, 0);
    launch(finish_sum, dim3(1), 256, 0, out.data, partial.data, 3, 0.5f, 1);
    expect("distance", out.host(), {2 + 0.5 * absolute}, 1e-6);
    expect("distance's gradient", slope.host(), gradient, 0);
    launch(sum_squares, dim3(3), 256, 0, partial.data, dx.data, n);
    launch(finish_sum, dim3(1), 256, 0, out.data, partial.data, 3, 1.f, 0);
    expect("sum of squares", out.host(), {squares}, 1e-6);
}

static void rows_and_steps(random_numbers &r) {
    int64_t n = 40, d = 33;
    std::vector<float> table = normals(7 * d, r), dy = normals(n * (d + 5), r);
    std::vector<double> expected = doubles(table);
    std::vector<int> ids;
    for (int64_t i = 0; i < n; i++) {
        ids.push_back(r.below(7));
        for (int64_t j = 0; j < d; j++) {
            expected[ids[i] * d + j] += 0.75 * dy[i * (d + 5) + 2 + j];
        }
    }
    device<float> there(table), ddy(dy);
    device<int> dids(ids), fault(std::vector<int>{0});
    launch(scatter_add, dim3(n), 256, 0, there.data, 7, d, ddy.data, d + 5, 2, dids.data, n, 0.75f, fault.data);
    expect("scatter_add", there.host(), expected, 1e-6);

    std::vector<float> w = normals(300, r), g = normals(300, r), m = normals(300, r), v(300, 0.5f);
    std::vector<double> stepped;
    adamw_step s = {1e-3, 0.9, 0.999, 1e-8, 1 - 1e-5, 1 - 0.9 * 0.9, 1 - 0.999 * 0.999, 0.7};
    for (int i = 0; i < 300; i++) {
        double gradient = g[i] * s.grad_scale, mean = 0.9 * m[i] + 0.1 * gradient, square = 0.999 * v[i] + 0.001 * gradient * gradient;
        stepped.push_back(w[i] * s.decay - 1e-3 * (mean / s.first) / (sqrt(square / s.second) + 1e-8));
    }
    device<float> dw(w), dg(g), dm(m), dv(v);
    launch(adamw, dim3(2), 128, 0, dw.data, dg.data, dm.data, dv.data, 300, s);
    expect("adamw", dw.host(), stepped, 1e-7);

    device<float> kept(300), noisy(w), back(300);
    device<uint16_t> brief(300);
    launch(dropout, dim3(1), 128, 0, kept.data, dg.data, 300, 0x80000000u, 2.f, 3);
    std::vector<double> half;
    uint64_t state = 3; /* SplitMix64 itself */
    for (int i = 0; i < 300; i++) {
        random_numbers one = {state};
        half.push_back(one.next() >> 63 ? 2.0 * g[i] : 0);
        state = one.state;
    }
    expect("dropout", kept.host(), half, 0);
    launch(cast, dim3(1), 128, 0, (void *)brief.data, (int)T2L_BF16, (const void *)dg.data, (int)T2L_F32, 300);
    launch(cast, dim3(1), 128, 0, (void *)back.data, (int)T2L_F32, (const void *)brief.data, (int)T2L_BF16, 300);
    expect("to bf16 and back", back.host(), doubles(g), 4e-3);
}

int main() {
    random_numbers r = {9};
    norms(1, 2, r);
    norms(70, 577, r);
    losses(3, 7, 1, 0, r);
    losses(5, 3001, 1, 0.1f, r);
    losses(3, 61, 40, 0.1f, r);
    sums(1, r);
    sums(5001, r);
    rows_and_steps(r);
    return finish("training");
}
