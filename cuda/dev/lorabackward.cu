/* Checks and times lorabackward.cu; see run.sh. */
#include "../lorabackward.cu"
#include "check.h"

static std::vector<float> normals(size_t n, random_numbers &r) {
    std::vector<float> v(n);
    for (float &f : v) {
        f = r.normal();
    }
    return v;
}

/* Adapters of spans, their gradients, and scratch. */
struct adapters {
    lora_spans p = {};
    std::vector<int32_t> spans;
    std::vector<int> ranks;
    std::vector<std::vector<float>> values; /* a, b of every adapter, then of every gradient */
    std::vector<float> scales;
    std::vector<device<float>> there;
    device<lora_factor> table;
    device<int32_t> dspans;
    device<float> turned, low, t, partial;
    device<int> fault;
    int rows = 0;

    adapters(int64_t n, int64_t in, int64_t out, int64_t head_dim, std::vector<int> ranks, std::vector<int32_t> spans, random_numbers &r)
        : spans(spans), ranks(ranks), dspans(spans), fault(std::vector<int>{0}) {
        std::vector<lora_factor> entries;
        for (size_t f = 0; f < 2 * ranks.size(); f++) {
            int rank = ranks[f % ranks.size()];
            scales.push_back(0.25f * (1 + f % ranks.size()));
            for (int64_t columns : {in, out}) {
                values.push_back(normals(rank * columns, r));
                there.emplace_back(values.back());
            }
            entries.push_back({there[2 * f].data, there[2 * f + 1].data, rank, scales.back()});
            p.stride = std::max(p.stride, (int64_t)(rank + 7) / 8 * 8);
        }
        for (size_t f = 0; f < ranks.size(); f++) {
            rows = std::max(rows, spans[2 * f + 1] - spans[2 * f]);
        }
        int64_t count = ranks.size();
        p.pieces = (rows + PIECE - 1) / PIECE;
        table = device<lora_factor>(entries);
        turned = device<float>(count * p.stride * out);
        low = device<float>(n * p.stride);
        t = device<float>(n * p.stride);
        partial = device<float>(count * p.pieces * p.stride * (in + out));
        p = {table.data, count, dspans.data, n, in, out, head_dim, p.stride, p.pieces, turned.data, low.data, t.data, partial.data, fault.data};
    }

    void run(float *dx, const float *dy, const float *x) {
        unsigned count = (unsigned)p.count, eights = (unsigned)p.stride / EIGHT;
        int64_t widest = std::max(p.in, p.out);
        launch(lora_turn, dim3((p.out + 255) / 256, count), 256, 0, p);
        launch(lora_low_spans, dim3((rows + EIGHT - 1) / EIGHT, count * eights, 2), LOW_THREADS, 0, x, dy, p);
        launch(lora_dx, dim3((p.in + 4 * DX_THREADS - 1) / (4 * DX_THREADS), (p.n + DX_ROWS - 1) / DX_ROWS), DX_THREADS, 0, dx, p);
        launch(lora_pieces, dim3((widest + 4 * PIECE_THREADS - 1) / (4 * PIECE_THREADS), (unsigned)p.pieces, 2 * count * eights), PIECE_THREADS, 0, x, dy, p);
        launch(lora_gradients, dim3((widest + 255) / 256, count * (unsigned)p.stride, 2), 256, 0, p);
    }
};

/* B's row of output o, as lora_row has it. */
static int64_t row_of_b(int64_t o, int64_t head_dim) {
    return head_dim == 0 ? o : o / head_dim * head_dim + o % 2 * (head_dim / 2) + o % head_dim / 2;
}

static void check(int64_t n, int64_t in, int64_t out, int64_t head_dim, std::vector<int> ranks, std::vector<int32_t> spans, random_numbers &r) {
    adapters a(n, in, out, head_dim, ranks, spans, r);
    std::vector<float> x = normals(n * in, r), dy = normals(n * out, r);
    std::vector<double> dx(n * in);
    std::vector<std::vector<double>> gradients;
    for (size_t f = 0; f < ranks.size(); f++) {
        int rank = ranks[f];
        const std::vector<float> &fa = a.values[2 * f], &fb = a.values[2 * f + 1];
        std::vector<double> da(a.values[2 * (f + ranks.size())].begin(), a.values[2 * (f + ranks.size())].end());
        std::vector<double> db(a.values[2 * (f + ranks.size()) + 1].begin(), a.values[2 * (f + ranks.size()) + 1].end());
        for (int64_t i = spans[2 * f]; i < spans[2 * f + 1]; i++) {
            for (int k = 0; k < rank; k++) {
                double low = 0, t = 0;
                for (int64_t c = 0; c < in; c++) {
                    low += (double)x[i * in + c] * fa[k * in + c];
                }
                for (int64_t o = 0; o < out; o++) {
                    t += (double)dy[i * out + o] * fb[row_of_b(o, head_dim) * rank + k];
                }
                low *= a.scales[f];
                t *= a.scales[f];
                for (int64_t c = 0; c < in; c++) {
                    dx[i * in + c] += t * fa[k * in + c];
                    da[k * in + c] += t * x[i * in + c];
                }
                for (int64_t o = 0; o < out; o++) {
                    db[row_of_b(o, head_dim) * rank + k] += low * dy[i * out + o];
                }
            }
        }
        gradients.push_back(da);
        gradients.push_back(db);
    }
    device<float> there(n * in), ddy(dy), dx0(x);
    a.run(there.data, ddy.data, dx0.data);
    char what[120];
    snprintf(what, sizeof what, "lorabackward dx, n %d, in %d, out %d, head %d", (int)n, (int)in, (int)out, (int)head_dim);
    expect(what, there.host(), dx, 2e-6);
    for (size_t g = 0; g < gradients.size(); g++) {
        snprintf(what, sizeof what, "lorabackward d%s of %d, n %d, in %d, out %d, head %d", g % 2 ? "B" : "A", (int)g / 2, (int)n, (int)in, (int)out, (int)head_dim);
        expect(what, a.there[2 * ranks.size() + g].host(), gradients[g], 2e-6);
    }
    expect_true("lorabackward: no fault", a.fault.host()[0] == 0);
}

#ifndef T2L_EMULATE
static void times() {
    random_numbers r = {5};
    printf("\nlorabackward.cu: 4 n (3 in + 2 out) bytes; a copy makes %.0f GB/s\n%5s %6s %6s %9s %5s %9s %9s\n", copy_bandwidth() / 1e3, "n", "in", "out", "adapters", "rank", "us", "GB/s");
    const int64_t cases[][5] = {{4096, 4096, 4096, 8, 8}, {4096, 4096, 1024, 8, 8}, {4096, 4096, 4096, 1, 8}, {4096, 4096, 4096, 8, 64}, {4096, 576, 576, 32, 8}};
    for (auto &c : cases) {
        std::vector<int32_t> spans;
        for (int64_t f = 0; f < c[3]; f++) {
            spans.push_back(f * c[0] / c[3]);
            spans.push_back((f + 1) * c[0] / c[3]);
        }
        adapters a(c[0], c[1], c[2], 0, std::vector<int>(c[3], (int)c[4]), spans, r);
        device<float> x(normals(c[0] * c[1], r)), dy(normals(c[0] * c[2], r)), dx(c[0] * c[1]);
        double us = time_us([&](int) { a.run(dx.data, dy.data, x.data); }, 6);
        printf("%5d %6d %6d %9d %5d %9.1f %9.0f\n", (int)c[0], (int)c[1], (int)c[2], (int)c[3], (int)c[4], us, 4e-3 * c[0] * (3 * c[1] + 2 * c[2]) / us);
    }
}
#endif

int main(int count, char **arguments) {
    random_numbers r = {11};
    check(1, 64, 48, 0, {8}, {0, 1}, r);
    check(103, 17, 22, 22, {1, 3, 8, 37}, {1, 2, 2, 2, 3, 30, 30, 101}, r);
    check(140, 1100, 300, 0, {8, 17}, {0, 130, 131, 140}, r);
    check(70, 72, 4100, 4, {4, 8, 2}, {0, 3, 3, 5, 7, 70}, r);
#ifndef T2L_EMULATE
    if (count < 2 || strcmp(arguments[1], "check") != 0) {
        times();
    }
#endif
    (void)count, (void)arguments;
    return finish("lorabackward");
}
