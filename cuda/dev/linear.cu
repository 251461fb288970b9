/* Checks and times linear.cu: every type, number of rows and place of weights; see run.sh. */
#include "../linear.cu"
#include "adapters.h"
#include "weights.h"

typedef void plain_kernel(float *, const float *, int64_t, int64_t, const void *, int64_t, const void *, int, lora_rows);

static bool same_bits(const float *a, const float *b, size_t n) {
    return memcmp(a, b, n * 4) == 0;
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
    const int64_t in = 256, out = 48, n = 5;
    for (int head_dim : {0, 16}) {
        weights w(T2L_F32, out, in, r);
        std::vector<float> x = normals(n * in, r);
        batch b(n, in, out, 2, head_dim, {8, 13}, {0, 1, 1, 0, -1, 0, 1, -1, 1, 1}, r);
        b.low = device<float>(b.lows(std::vector<double>(x.begin(), x.end())));
        device<float> dx(x), y(n * out);
        device<uint8_t> dw(w.bytes);
        std::vector<double> expected = product(x, n, w, nullptr);
        b.expected(expected, x);
        launch(linear_f32_4, dim3((n + 3) / 4 * (out / 4)), THREADS, 0, y.data, dx.data, n, in, dw.data, out, (const void *)nullptr, 0, b.rows());
        char what[120];
        snprintf(what, sizeof what, "linear f32 + lora, head %d", head_dim);
        expect(what, y.host(), expected, 1e-6);
    }
}

#ifndef T2L_EMULATE
static void times() {
    const double copy = copy_bandwidth();
    printf("\ncopy %.2f TB/s (read and written). linear.cu: weights' bytes a microsecond, its share of the copy\n", copy * 1e-6);
    printf("%-14s %2s %8s %7s %6s\n", "out x in", "n", "us", "TB/s", "share");
    random_numbers r = {7};
    const int64_t shapes[][2] = {{4096, 4096}, {1024, 4096}, {14336, 4096}, {4096, 14336}};
    for (auto &s : shapes) {
        const int64_t out = s[0], in = s[1], bytes = out * in * 4;
        const int copies = (int)std::max<int64_t>(2, (400 << 20) / bytes);
        std::vector<device<float>> w;
        for (int c = 0; c < copies; c++) {
            w.emplace_back(normals(out * in, r));
        }
        device<float> x(normals(8 * in, r)), y(8 * out);
        for (int n : {1, 4, 8}) {
            const double us = time_us([&](int c) {
                launch(plain_of(T2L_F32, true, n), dim3((out + 3) / 4), THREADS, 0, y.data, x.data, (int64_t)n, in, w[c % copies].data, out,
                       (const void *)nullptr, 0, lora_rows());
            }, std::max(24, copies));
            printf("%6dx%-7d %2d %8.2f %7.2f %5.0f%%\n", (int)out, (int)in, n, us, bytes / us * 1e-6, 100 * bytes / us / copy);
        }
    }
}
#endif

int main(int count, char **arguments) {
    random_numbers r = {1};
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
