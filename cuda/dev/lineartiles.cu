/* Checks and times lineartiles.cu; see run.sh. */
#include "../lineartiles.cu"
#include "weights.h"

typedef void tensor_kernel(float *, const float *, int64_t, int64_t, const uint8_t *, int64_t, int64_t, const void *, int);
typedef void single_kernel(float *, const float *, int64_t, int64_t, const float *, int64_t, const void *, int);

struct tensor {
    int type, rows, columns, threads, shared;
    tensor_kernel *kernel;
};

#define BOTH(name, type)                                                                                      \
    {type, 128, 128, 256, tiles<type, 128, 128>::SHARED, linear_tiles_##name##_128},                          \
        {type, 64, 32, 128, tiles<type, 64, 32>::SHARED, linear_tiles_##name##_64}
static const tensor TENSOR_KERNELS[] = {BOTH(f16, T2L_F16),   BOTH(bf16, T2L_BF16), BOTH(q4_0, T2L_Q4_0), BOTH(q4_1, T2L_Q4_1),
                                        BOTH(q8_0, T2L_Q8_0), BOTH(q4_k, T2L_Q4_K), BOTH(q6_k, T2L_Q6_K)};

struct single {
    int tile, threads;
    single_kernel *kernel;
};
static const single SINGLE_KERNELS[] = {{128, 256, linear_tiles_f32_128}, {64, 256, linear_tiles_f32_64}, {32, 128, linear_tiles_f32_32}};

static void run_tensor(const tensor &k, float *y, const float *x, int64_t n, int64_t in, const uint8_t *w, int64_t row_bytes, int64_t out, const float *bias) {
    dim3 grid((out + k.columns - 1) / k.columns, (n + k.rows - 1) / k.rows);
    launch(k.kernel, grid, k.threads, k.shared, y, x, n, in, w, row_bytes, out, (const void *)bias, (int)T2L_F32);
}

static void run_single(const single &k, float *y, const float *x, int64_t n, int64_t in, const uint8_t *w, int64_t out, const float *bias) {
    dim3 grid((out + k.tile - 1) / k.tile, (n + k.tile - 1) / k.tile);
    launch(k.kernel, grid, k.threads, 0, y, x, n, in, (const float *)w, out, (const void *)bias, (int)T2L_F32);
}

/* All kernels of a type: right, and one bit for bit as the other; a row alone as among others. */
static void check(int type, int64_t n, int64_t in, int64_t out, random_numbers &r) {
    weights w(type, out, in, r);
    std::vector<float> x = normals(n * in, r);
    std::vector<float> bias = normals(out, r);
    device<uint8_t> dw(w.bytes, type >= T2L_Q4_0 ? 4 : 0);
    device<float> dx(x), dbias(bias);
    std::vector<double> expected = product(x, n, w, &bias);
    std::vector<float> first;
    char what[120];
    auto test = [&](int tile, const std::function<void(float *, const float *, int64_t)> &run) {
        snprintf(what, sizeof what, "tiles %s %d, n %d, in %d, out %d", TYPE_NAMES[type], tile, (int)n, (int)in, (int)out);
        device<float> y(n * out), one(out);
        run(y.data, dx.data, n);
        std::vector<float> all = y.host();
        expect(what, all, expected, type == T2L_F32 ? 2e-6 : 2e-5);
        failures += !first.empty() && memcmp(first.data(), all.data(), all.size() * 4) != 0 && printf("FAIL %s: other bits than by another tile\n", what);
        first = all;
        run(one.data, dx.data + (n - 1) * in, 1);
        failures += memcmp(one.host().data(), &all[(n - 1) * out], out * 4) != 0 && printf("FAIL %s: the last row alone has other bits\n", what);
    };
    if (type == T2L_F32) {
        for (const single &k : SINGLE_KERNELS) {
            test(k.tile, [&](float *y, const float *x, int64_t n) { run_single(k, y, x, n, in, dw.data, out, dbias.data); });
        }
    }
    for (const tensor &k : TENSOR_KERNELS) {
        if (k.type == type) {
            test(k.rows, [&](float *y, const float *x, int64_t n) { run_tensor(k, y, x, n, in, dw.data, w.row_bytes, out, dbias.data); });
        }
    }
}

#ifndef T2L_EMULATE
static void times() {
    printf("\nlineartiles.cu: 2 n in out flops a second\n%-5s %-16s %5s %5s %9s %8s\n", "type", "out x in", "n", "tile", "us", "TFLOP/s");
    random_numbers r = {7};
    const int64_t shapes[][3] = {{2048, 4096, 4096}, {2048, 14336, 4096}, {512, 4096, 14336}, {48, 1024, 1024}, {48, 4096, 1024}};
    for (int type : {T2L_BF16, T2L_Q8_0, T2L_Q4_K, T2L_F16, T2L_F32}) {
        for (auto &s : shapes) {
            int64_t n = s[0], out = s[1], in = s[2];
            if (type != T2L_BF16 && type != T2L_F32 && (n < 512 || out != 4096)) {
                continue;
            }
            weights pattern(type, 64, in, r, false);
            device<uint8_t> w(out * pattern.row_bytes);
            for (int64_t at = 0; at < out * pattern.row_bytes; at += pattern.bytes.size()) {
                CHECK(cudaMemcpy(w.data + at, pattern.bytes.data(), std::min<int64_t>(pattern.bytes.size(), out * pattern.row_bytes - at), cudaMemcpyHostToDevice));
            }
            device<float> x(normals(n * in, r)), y(n * out);
            auto show = [&](int tile, double us) {
                printf("%-5s %6dx%-9d %5d %5d %9.1f %8.1f\n", TYPE_NAMES[type], (int)out, (int)in, (int)n, tile, us, 2e-6 * n * in * out / us);
            };
            int inner = n >= 512 ? 4 : 20;
            for (const single &k : SINGLE_KERNELS) {
                if (type == T2L_F32 && !(n >= 512 && k.tile == 32)) {
                    show(k.tile, time_us([&](int) { run_single(k, y.data, x.data, n, in, w.data, out, nullptr); }, inner));
                }
            }
            for (const tensor &k : TENSOR_KERNELS) {
                if (k.type == type && !(n >= 512 && k.rows == 64)) {
                    show(k.rows, time_us([&](int) { run_tensor(k, y.data, x.data, n, in, w.data, pattern.row_bytes, out, nullptr); }, inner));
                }
            }
        }
    }
}
#endif

int main(int count, char **arguments) {
    random_numbers r = {3};
    for (int type = T2L_F32; type <= T2L_Q6_K; type++) {
        int64_t block = type >= T2L_Q4_K ? 256 : type >= T2L_Q4_0 ? 32 : 8;
        check(type, 5, block, 40, r);
        check(type, 130, (72 + block - 1) / block * block, 33, r);
        check(type, 33, 768, 139, r);
    }
    check(T2L_F32, 37, 1, 5, r);
    check(T2L_F32, 3, 131, 70, r);
#ifndef T2L_EMULATE
    if (count < 2 || strcmp(arguments[1], "check") != 0) {
        times();
    }
#endif
    (void)count, (void)arguments;
    return finish("lineartiles");
}
