/* Checks and times linear.cu: every format, number of rows and shape of a launch; see run.sh. */
#include "../linear.cu"
#include "weights.h"

typedef void thin_kernel(float *, const float *, int64_t, int64_t, const uint8_t *, int64_t, int64_t, const void *, int, int, int, lora_rows);
typedef void plain_kernel(float *, const float *, int64_t, int64_t, const void *, int64_t, const void *, int, lora_rows);

struct thin {
    int type, tiles;
    thin_kernel *kernel;
    int chunk, per_warp, mins;
};

#define THIN(name, type, tiles) {type, tiles, linear_##name##_##tiles, format<type>::CHUNK, shape<type, tiles>::PER_WARP, format<type>::MINS}
static const thin THINS[] = {
    THIN(f16, T2L_F16, 1),   THIN(f16, T2L_F16, 2),   THIN(bf16, T2L_BF16, 1), THIN(bf16, T2L_BF16, 2), THIN(q4_0, T2L_Q4_0, 1), THIN(q4_0, T2L_Q4_0, 2),
    THIN(q4_0, T2L_Q4_0, 4), THIN(q4_1, T2L_Q4_1, 1), THIN(q4_1, T2L_Q4_1, 2), THIN(q4_1, T2L_Q4_1, 4), THIN(q8_0, T2L_Q8_0, 1), THIN(q8_0, T2L_Q8_0, 2),
    THIN(q4_k, T2L_Q4_K, 1), THIN(q4_k, T2L_Q4_K, 2), THIN(q4_k, T2L_Q4_K, 4), THIN(q6_k, T2L_Q6_K, 1), THIN(q6_k, T2L_Q6_K, 2),
};

/* A panel of x: up to 16 KiB, but a chunk for each warp at least. Any other such size gives the same bits. */
static int panel_of(const thin &k, int64_t n, int64_t in) {
    int panel = WARPS * k.chunk;
    while (panel < in && panel * 2 * std::min<int64_t>(n, 8) <= 4096) {
        panel *= 2;
    }
    return panel;
}

static void run_thin(const thin &k, float *y, const float *x, int64_t n, const uint8_t *w, int64_t row_bytes, int64_t in, int64_t out, const float *bias,
                     int larger_panel, const lora_rows &lora) {
    int panel = panel_of(k, n, in) << larger_panel;
    int rows = (int)std::min<int64_t>(n, 8);
    int shared = panel * rows * 4 + (k.mins ? panel / 32 * rows * 4 : 0) + WARPS * k.per_warp;
    int blocks = (int)((n + 7) / 8 * ((out + 8 * k.tiles - 1) / (8 * k.tiles)));
    launch(k.kernel, dim3(blocks), THREADS, shared, y, x, n, in, w, row_bytes, out, (const void *)bias, (int)T2L_F32, 8, panel, lora);
}

static bool same_bits(const float *a, const float *b, size_t n) {
    return memcmp(a, b, n * 4) == 0;
}

static void check_thin(const thin &k, int64_t out, int64_t in, int64_t n, int skew, random_numbers &r) {
    weights w(k.type, out, in, r);
    std::vector<float> x = normals(n * in, r);
    std::vector<float> bias = normals(out, r);
    device<uint8_t> dw(w.bytes, skew);
    device<float> dx(x, skew % 16), dbias(bias), y(n * out), one(out);
    run_thin(k, y.data, dx.data, n, dw.data, w.row_bytes, in, out, dbias.data, 0, lora_rows());
    char what[120];
    snprintf(what, sizeof what, "linear %s, %d tiles, n %d, in %d, out %d, skew %d", TYPE_NAMES[k.type], k.tiles, (int)n, (int)in, (int)out, skew);
    std::vector<float> all = y.host();
    expect(what, all, product(x, n, w, &bias), 2e-5);
    for (int64_t i = 0; i < n; i++) {
        run_thin(k, one.data, dx.data + i * in, 1, dw.data, w.row_bytes, in, out, dbias.data, (int)i % 2, lora_rows());
        failures += !same_bits(one.host().data(), &all[i * out], out) && printf("FAIL %s: row %d alone has other bits\n", what, (int)i);
    }
}

static plain_kernel *plain_of(int type, bool vector, int n) {
    return type == T2L_F16 ? linear_any_f16 : type == T2L_BF16 ? linear_any_bf16 : !vector ? linear_any_f32
           : n == 1 ? linear_f32_1 : n == 2 ? linear_f32_2 : n == 4 ? linear_f32_4 : linear_f32_8;
}

static void check_plain(int type, bool vector, int64_t out, int64_t in, int64_t n, random_numbers &r) {
    weights w(type, out, in, r);
    std::vector<float> x = normals(n * in, r);
    std::vector<float> bias = normals(out, r);
    device<uint8_t> dw(w.bytes, vector ? 0 : 4);
    device<float> dx(x), dbias(bias);
    std::vector<double> expected = product(x, n, w, &bias);
    std::vector<float> first;
    for (int rows : {1, 2, 4, 8}) {
        if (!vector && rows != 4) {
            continue;
        }
        device<float> y(n * out);
        launch(plain_of(type, vector, rows), dim3((n + rows - 1) / rows * ((out + 3) / 4)), THREADS, 0, y.data, dx.data, n, in, dw.data, out,
               (const void *)dbias.data, (int)T2L_F32, lora_rows());
        char what[120];
        snprintf(what, sizeof what, "linear plain %s, %s, rows %d, n %d, in %d, out %d", TYPE_NAMES[type], vector ? "vector" : "any", rows, (int)n, (int)in, (int)out);
        std::vector<float> all = y.host();
        expect(what, all, expected, 1e-6);
        failures += !first.empty() && !same_bits(all.data(), first.data(), all.size()) && printf("FAIL %s: other bits than by other rows\n", what);
        first = all;
    }
}

/* Adapters in the epilogue: low given, mixed ranks, a weight of 0, an empty list, interleaved heads. */
static void check_lora(random_numbers &r) {
    const int64_t in = 256, out = 48, n = 5, per_row = 2, stride = 13;
    const int ranks[2] = {8, 13};
    for (int head_dim : {0, 16}) {
        for (const thin &k : THINS) {
            weights w(k.type, out, in, r);
            std::vector<float> x = normals(n * in, r), low = normals(n * per_row * stride, r);
            std::vector<float> b[2] = {normals(out * ranks[0], r), normals(out * ranks[1], r)};
            std::vector<float> factor_weights = {1, 0.5f, 0, 2, 1, 1, -1, 1, 1, 1};
            std::vector<int32_t> slots = {0, 1, 1, 0, -1, 0, 1, -1, 1, 1};
            device<float> b0(b[0]), b1(b[1]), dx(x), dlow(low), dweights(factor_weights), y(n * out);
            device<int32_t> dslots(slots);
            device<uint8_t> dw(w.bytes);
            device<lora_factor> table(std::vector<lora_factor>{{nullptr, b0.data, ranks[0], 2}, {nullptr, b1.data, ranks[1], 0.25f}});
            std::vector<double> expected = product(x, n, w, nullptr);
            for (int i = 0; i < n; i++) {
                for (int s = 0; s < per_row && slots[i * per_row + s] >= 0; s++) {
                    int f = slots[i * per_row + s];
                    for (int o = 0; o < out; o++) {
                        double sum = 0;
                        for (int e = 0; e < ranks[f]; e++) {
                            sum += (double)low[(i * per_row + s) * stride + e] * b[f][o * ranks[f] + e];
                        }
                        int at = head_dim == 0 ? o : o / head_dim * head_dim + o % head_dim % (head_dim / 2) * 2 + o % head_dim / (head_dim / 2);
                        expected[i * out + at] += factor_weights[i * per_row + s] * (f == 0 ? 2 : 0.25) * sum;
                    }
                }
            }
            lora_rows lora = {table.data, 2, dslots.data, dweights.data, per_row, head_dim, dlow.data, stride};
            run_thin(k, y.data, dx.data, n, dw.data, w.row_bytes, in, out, nullptr, 0, lora);
            char what[120];
            snprintf(what, sizeof what, "linear %s + lora, %d tiles, head %d", TYPE_NAMES[k.type], k.tiles, head_dim);
            expect(what, y.host(), expected, 2e-5);
        }
    }
}

#ifndef T2L_EMULATE
static void times() {
    const double copy = copy_bandwidth();
    printf("\ncopy %.2f TB/s (read and written). linear.cu: weights' bytes a microsecond, its share of the copy\n", copy * 1e-6);
    printf("%-5s %-14s %2s %5s %8s %7s %6s\n", "type", "out x in", "n", "tiles", "us", "TB/s", "share");
    random_numbers r = {7};
    const int64_t shapes[][2] = {{4096, 4096}, {1024, 4096}, {14336, 4096}, {4096, 14336}, {32000, 4096}};
    for (int type : {T2L_BF16, T2L_Q8_0, T2L_Q4_K, T2L_Q4_0, T2L_Q6_K, T2L_F16, T2L_F32, T2L_Q4_1}) {
        for (auto &s : shapes) {
            int64_t out = s[0], in = s[1];
            if (type > T2L_Q8_0 ? type == T2L_Q6_K && out == 1024 : (type == T2L_F16 || type == T2L_Q4_0 || type == T2L_Q4_1) && out != 4096) {
                continue;
            }
            weights pattern(type, 64, in, r, false);
            int64_t bytes = out * pattern.row_bytes;
            int copies = (int)std::min<int64_t>(96, std::max<int64_t>(2, (400 << 20) / bytes));
            int inner = std::max(24, copies);
            std::vector<device<uint8_t>> w;
            for (int c = 0; c < copies; c++) {
                w.emplace_back(bytes);
                for (int64_t at = 0; at < bytes; at += pattern.bytes.size()) {
                    CHECK(cudaMemcpy(w[c].data + at, pattern.bytes.data(), std::min<int64_t>(pattern.bytes.size(), bytes - at), cudaMemcpyHostToDevice));
                }
            }
            device<float> x(normals(8 * in, r)), y(8 * out);
            for (int n : {1, 4, 8}) {
                auto show = [&](int tiles, double us) {
                    printf("%-5s %6dx%-7d %2d %5d %8.2f %7.2f %5.0f%%\n", TYPE_NAMES[type], (int)out, (int)in, n, tiles, us, bytes / us * 1e-6, 100 * bytes / us / copy);
                };
                if (n == 4 && type != T2L_BF16 && type != T2L_Q4_K) {
                    continue;
                }
                if (type == T2L_F32) {
                    show(0, time_us([&](int c) {
                             launch(plain_of(type, true, n), dim3((out + 3) / 4), THREADS, 0, y.data, x.data, (int64_t)n, in, w[c % copies].data, out,
                                    (const void *)nullptr, 0, lora_rows());
                         }, inner));
                }
                for (const thin &k : THINS) {
                    if (k.type == type) {
                        show(k.tiles, time_us([&](int c) { run_thin(k, y.data, x.data, n, w[c % copies].data, pattern.row_bytes, in, out, nullptr, 0, lora_rows()); }, inner));
                    }
                }
            }
        }
    }
}
#endif

int main(int count, char **arguments) {
    random_numbers r = {1};
    for (const thin &k : THINS) {
        printf("// %s, %d tiles: chunk %d, %d bytes a warp\n", TYPE_NAMES[k.type], k.tiles, k.chunk, k.per_warp);
        int block = k.type >= T2L_Q4_K ? 256 : k.type >= T2L_Q4_0 ? 32 : 8;
        const int64_t ins[] = {block, 2 * block, 576 / block * block, 1032 / block * block, 4096, 4096 + block};
        for (int64_t in : ins) {
            if (in > 0) {
                check_thin(k, 8 * k.tiles + 5, in, 1 + r.below(4), k.type >= T2L_Q4_0 ? 4 : 0, r);
            }
        }
        check_thin(k, 40, 2560, 11, 0, r);
        check_thin(k, 3, 5120, 8, 0, r);
    }
    for (int type : {T2L_F32, T2L_F16, T2L_BF16}) {
        for (int64_t in : {1, 7, 64, 130, 1028}) {
            check_plain(type, false, 11, in, 5, r);
            if (type == T2L_F32 && in % 4 == 0) {
                check_plain(type, true, 11, in, 11, r);
            }
        }
    }
    check_lora(r);
#ifndef T2L_EMULATE
    if (count < 2 || strcmp(arguments[1], "check") != 0) {
        times();
    }
#endif
    (void)count, (void)arguments;
    return finish("linear");
}
