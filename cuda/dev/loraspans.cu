/* Checks and times loraspans.cu; see run.sh. What is bf16 is such that bf16 holds it. */
#include "../loraspans.cu"
#include "halves.h"
#include <string>

/* As noise_bits. */
static uint32_t bits_of(uint64_t seed, uint64_t i) {
    return (uint32_t)(random_numbers{seed + i * 0x9e3779b97f4a7c15}.next() >> 32);
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
    device<uint8_t> kept;
    device<int> fault;
    int rows = 0;

    adapters(int64_t n, int64_t in, int64_t out, int64_t head_dim, std::vector<int> ranks, std::vector<int32_t> spans, float dropout, random_numbers &r)
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
        p.piece = in > 1024 ? 64 : 32;
        p.pieces = (rows + p.piece - 1) / p.piece;
        table = device<lora_factor>(entries);
        turned = device<float>(count * p.stride * out);
        low = device<float>(n * p.stride);
        t = device<float>(n * p.stride);
        kept = device<uint8_t>(n * in / 4);
        partial = device<float>(count * p.pieces * p.stride * (in + out));
        float factor = 1 / (1 - dropout);
        uint32_t bits;
        memcpy(&bits, &factor, 4);
        p = {table.data, count, dspans.data, n, in, out, head_dim, p.stride, p.piece, p.pieces, (int64_t)(dropout * 0x1p32f), bits, 77, turned.data, low.data, t.data,
             dropout > 0 && in % 4 == 0 ? kept.data : nullptr, partial.data, fault.data};
    }

    void turn() {
        launch(lora_turn, dim3((p.out + 255) / 256, (unsigned)p.count), 256, 0, p);
    }

    bool tiles = false;

    void low_of(const activations &x, const activations &dy, int both) {
        if (x.is_half && tiles) {
            launch(lora_low_tiles, dim3((rows + 15) / 16, (unsigned)(p.count * p.stride / EIGHT), both), TILE_THREADS, 0, x.half.data, dy.half.data, p);
            return;
        }
        dim3 grid((rows + EIGHT - 1) / EIGHT, (unsigned)(p.count * p.stride / EIGHT), both);
        x.is_half ? launch(lora_low_bf16, grid, LOW_THREADS, 0, x.half.data, dy.half.data, p) : launch(lora_low_f32, grid, LOW_THREADS, 0, x.whole.data, dy.whole.data, p);
    }

    void outer(activations &to, int back) {
        dim3 grid((unsigned)(((back ? p.in : p.out) + 4 * OUTER_THREADS - 1) / (4 * OUTER_THREADS)), (unsigned)((p.n + OUTER_ROWS - 1) / OUTER_ROWS));
        to.is_half ? launch(lora_outer_bf16, grid, OUTER_THREADS, 0, to.half.data, back, p) : launch(lora_outer_f32, grid, OUTER_THREADS, 0, to.whole.data, back, p);
    }

    void pieces(const activations &x, const activations &dy) {
        const int64_t fours = (std::max(p.in, p.out) + 3) / 4;
        const int threads = (int)std::min<int64_t>(PIECE_THREADS, (fours + 31) / 32 * 32);
        dim3 grid((unsigned)((fours + threads - 1) / threads), (unsigned)p.pieces, (unsigned)(2 * p.count * p.stride / EIGHT));
        x.is_half ? launch(lora_pieces_bf16, grid, threads, 0, x.half.data, dy.half.data, p) : launch(lora_pieces_f32, grid, threads, 0, x.whole.data, dy.whole.data, p);
    }

    void gradients() {
        launch(lora_gradients, dim3((unsigned)((std::max(p.in, p.out) + 255) / 256), (unsigned)(p.count * p.stride), 2), 256, 0, p);
    }

    void forward(activations &y, const activations &x) {
        turn();
        low_of(x, x, 1);
        outer(y, 0);
    }

    void backward(activations &dx, const activations &dy, const activations &x) {
        turn();
        low_of(x, dy, 2);
        outer(dx, 1);
        pieces(x, dy);
        gradients();
    }
};

/* B's row of output o, as lora_row has it. */
static int64_t row_of_b(int64_t o, int64_t head_dim) {
    return head_dim == 0 ? o : o / head_dim * head_dim + o % 2 * (head_dim / 2) + o % head_dim / 2;
}

static void check(int64_t n, int64_t in, int64_t out, int64_t head_dim, std::vector<int> ranks, std::vector<int32_t> spans, float dropout, bool half, random_numbers &r) {
    adapters a(n, in, out, head_dim, ranks, spans, dropout, r);
    a.tiles = in % 8 == 0 && out % 8 == 0;
    std::vector<float> x = normals(n * in, r), dy = normals(n * out, r), y0 = normals(n * out, r), dx0 = normals(n * in, r);
    activations there_x(x, half), there_dy(dy, half), there_y(y0, half), there_dx(dx0, half);
    std::vector<double> dx(dx0.begin(), dx0.end()), y(y0.begin(), y0.end());
    std::vector<std::vector<double>> gradients;
    auto factor = [&](int64_t i, int64_t c) { return dropout == 0 ? 1.0 : bits_of(a.p.seed, i * in + c) >= (uint32_t)a.p.threshold ? 1 / (1 - (double)dropout) : 0; };
    for (size_t f = 0; f < ranks.size(); f++) {
        int rank = ranks[f];
        const std::vector<float> &fa = a.values[2 * f], &fb = a.values[2 * f + 1];
        std::vector<double> da(a.values[2 * (f + ranks.size())].begin(), a.values[2 * (f + ranks.size())].end());
        std::vector<double> db(a.values[2 * (f + ranks.size()) + 1].begin(), a.values[2 * (f + ranks.size()) + 1].end());
        for (int64_t i = spans[2 * f]; i < spans[2 * f + 1]; i++) {
            for (int k = 0; k < rank; k++) {
                double low = 0, t = 0;
                for (int64_t c = 0; c < in; c++) {
                    low += factor(i, c) * x[i * in + c] * fa[k * in + c];
                }
                for (int64_t o = 0; o < out; o++) {
                    t += (double)dy[i * out + o] * fb[row_of_b(o, head_dim) * rank + k];
                }
                low *= a.scales[f];
                t *= a.scales[f];
                for (int64_t c = 0; c < in; c++) {
                    dx[i * in + c] += factor(i, c) * t * fa[k * in + c];
                    da[k * in + c] += factor(i, c) * t * x[i * in + c];
                }
                for (int64_t o = 0; o < out; o++) {
                    const int64_t of_b = row_of_b(o, head_dim) * rank + k;
                    db[of_b] += low * dy[i * out + o];
                    y[i * out + o] += low * fb[of_b];
                }
            }
        }
        gradients.push_back(da);
        gradients.push_back(db);
    }
    a.forward(there_y, there_x);
    a.backward(there_dx, there_dy, there_x);
    char what[120];
    const double limit = half ? 4e-3 : 2e-6;
    snprintf(what, sizeof what, "lora %s, n %d, in %d, out %d, head %d, dropout %g", half ? "bf16" : "f32", (int)n, (int)in, (int)out, (int)head_dim, dropout);
    expect((std::string("y of ") + what).c_str(), there_y.host(), y, limit);
    expect((std::string("dx of ") + what).c_str(), there_dx.host(), dx, limit);
    for (size_t g = 0; g < gradients.size(); g++) {
        expect((std::string(g % 2 ? "dB of " : "dA of ") + what).c_str(), a.there[2 * ranks.size() + g].host(), gradients[g], half && a.tiles ? 2e-5 : 2e-6);
    }
    expect_true("lora: no fault", a.fault.host()[0] == 0);
}

#ifndef T2L_EMULATE
static void times() {
    random_numbers r = {5};
    printf("\nloraspans.cu, us of each launch (a copy makes %.0f GB/s)\n%5s %6s %6s %9s %5s %5s %7s | %7s %7s %7s %7s | %7s %7s %7s %7s\n", copy_bandwidth() / 1e3, "n", "in", "out",
           "adapters", "rank", "type", "dropout", "turn", "low", "outer", "forward", "low", "outer", "pieces", "backward");
    const int64_t cases[][5] = {{4096, 4096, 4096, 8, 8}, {4096, 4096, 1024, 8, 8}, {4096, 4096, 4096, 1, 8}, {4096, 4096, 4096, 8, 64}, {2700, 576, 576, 32, 8}, {2700, 576, 192, 32, 8}};
    for (auto &c : cases) {
        for (int kind = 0; kind < 5; kind++) {
            const bool half = kind > 0, tiles = kind > 2;
            const float dropout = kind % 2 == 1 || kind == 0 ? 0.05f : 0;
            std::vector<int32_t> spans;
            for (int64_t f = 0; f < c[3]; f++) {
                spans.push_back(f * c[0] / c[3]);
                spans.push_back((f + 1) * c[0] / c[3]);
            }
            adapters a(c[0], c[1], c[2], 0, std::vector<int>(c[3], (int)c[4]), spans, dropout, r);
            a.tiles = tiles;
            std::vector<float> x = normals(c[0] * c[1], r), dy = normals(c[0] * c[2], r);
            activations tx(x, half), tdy(dy, half), tdx(x, false), ty(dy, half);
            auto us = [&](std::function<void()> call) { return time_us([&](int) { call(); }, 6); };
            printf("%5d %6d %6d %9d %5d %5s %7.2f | %7.1f %7.1f %7.1f %7.1f | %7.1f %7.1f %7.1f %7.1f\n", (int)c[0], (int)c[1], (int)c[2], (int)c[3], (int)c[4], tiles ? "tiles" : half ? "bf16" : "f32", dropout,
                   us([&] { a.turn(); }), us([&] { a.low_of(tx, tdy, 1); }), us([&] { a.outer(ty, 0); }), us([&] { a.forward(ty, tx); }), us([&] { a.low_of(tx, tdy, 2); }),
                   us([&] { a.outer(tdx, 1); }), us([&] { a.pieces(tx, tdy); }), us([&] { a.backward(tdx, tdy, tx); }));
        }
    }
}
#endif

int main(int count, char **arguments) {
    random_numbers r = {11};
    for (bool half : {false, true}) {
        check(1, 64, 48, 0, {8}, {0, 1}, 0.25f, half, r);
        check(103, 17, 22, 22, {1, 3, 8, 37}, {1, 2, 2, 2, 3, 30, 30, 101}, 0.5f, half, r);
        check(140, 1104, 304, 0, {8, 17}, {0, 130, 131, 140}, 0.05f, half, r);
        check(140, 1100, 300, 0, {8, 17}, {0, 130, 131, 140}, 0.05f, half, r);
        check(70, 72, 4100, 4, {4, 8, 2}, {0, 3, 3, 5, 7, 70}, 0, half, r);
    }
#ifndef T2L_EMULATE
    if (count < 2 || strcmp(arguments[1], "check") != 0) {
        times();
    }
#endif
    (void)count, (void)arguments;
    return finish("loraspans");
}
