/* Checks and times linearbackward.cu and lineargradient.cu; see run.sh. */
#include "../linearbackward.cu"
#include "../lineargradient.cu"
#include "weights.h"

typedef void tensor_kernel(const float *, const uint8_t *, int64_t, backward_job);
typedef void single_kernel(const float *, const float *, int64_t, backward_job);
typedef void gradient_kernel(float *, const float *, const float *, int64_t, int64_t, int64_t);

struct tensor {
    int type, rows, columns, threads, shared;
    tensor_kernel *kernel;
};

#define BOTH(name, type)                                                                                         \
    {type, 128, 128, 256, turned<type, 128, 128>::SHARED, linear_backward_##name##_128},                         \
        {type, 64, 32, 128, turned<type, 64, 32>::SHARED, linear_backward_##name##_64}
static const tensor TENSOR_KERNELS[] = {BOTH(f16, T2L_F16),   BOTH(bf16, T2L_BF16), BOTH(q4_0, T2L_Q4_0), BOTH(q4_1, T2L_Q4_1),
                                        BOTH(q8_0, T2L_Q8_0), BOTH(q4_k, T2L_Q4_K), BOTH(q6_k, T2L_Q6_K)};

template <typename K> struct single {
    int tile, threads;
    K *kernel;
};
static const single<single_kernel> SINGLE_KERNELS[] = {{128, 256, linear_backward_f32_128}, {64, 256, linear_backward_f32_64}, {32, 128, linear_backward_f32_32}};
static const single<gradient_kernel> GRADIENT_KERNELS[] = {{128, 256, linear_gradient_128}, {64, 256, linear_gradient_64}, {32, 128, linear_gradient_32}};

static dim3 tiles_of(int64_t n, int64_t in, int rows, int columns, int64_t parts = 1) {
    return dim3((in + columns - 1) / columns, (n + rows - 1) / rows, parts);
}

/* All kernels of a type, whole, added and in parts: right, and one bit for bit as the other. */
static void check(int type, int64_t n, int64_t out, int64_t in, random_numbers &r) {
    weights w(type, out, in, r);
    std::vector<float> dy = normals(n * out, r), dx0 = normals(n * in, r);
    device<uint8_t> dw(w.bytes, type >= T2L_Q4_0 ? 4 : 0);
    device<float> ddy(dy);
    std::vector<double> expected(n * in), added;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t o = 0; o < out; o++) {
            for (int64_t j = 0; j < in; j++) {
                expected[i * in + j] += (double)dy[i * out + o] * w.values[o * in + j];
            }
        }
    }
    for (int64_t i = 0; i < n * in; i++) {
        added.push_back(dx0[i] + expected[i]);
    }
    std::vector<float> first;
    auto test = [&](int tile, const std::function<void(backward_job, int64_t)> &run) {
        char what[120];
        snprintf(what, sizeof what, "backward %s %d, n %d, out %d, in %d", TYPE_NAMES[type], tile, (int)n, (int)out, (int)in);
        double limit = type == T2L_F32 ? 2e-6 : 2e-5;
        device<float> dx(n * in), onto(dx0), parts(3 * n * in), sum(n * in);
        int64_t third = (out / 3 + 32) / 32 * 32, count = (out + third - 1) / third;
        run({dx.data, n, in, out, (out + 31) / 32 * 32, 0}, 1);
        run({onto.data, n, in, out, (out + 31) / 32 * 32, 1}, 1);
        run({parts.data, n, in, out, third, 0}, count);
        launch(linear_backward_parts, dim3(3), 256, 0, sum.data, (const float *)parts.data, n * in, count, 0);
        std::vector<float> all = dx.host();
        expect(what, all, expected, limit);
        expect(what, onto.host(), added, limit);
        expect(what, sum.host(), expected, limit);
        failures += !first.empty() && memcmp(first.data(), all.data(), all.size() * 4) != 0 && printf("FAIL %s: other bits than by another tile\n", what);
        first = all;
    };
    if (type == T2L_F32) {
        for (const auto &k : SINGLE_KERNELS) {
            test(k.tile, [&](backward_job job, int64_t parts) { launch(k.kernel, tiles_of(n, in, k.tile, k.tile, parts), k.threads, 0, ddy.data, (const float *)dw.data, 0, job); });
        }
    }
    for (const tensor &k : TENSOR_KERNELS) {
        if (k.type == type && w.row_bytes % (type >= T2L_Q4_0 ? 1 : 16) == 0) {
            test(k.rows, [&](backward_job job, int64_t parts) {
                launch(k.kernel, tiles_of(n, in, k.rows, k.columns, parts), k.threads, k.shared, ddy.data, dw.data, w.row_bytes, job);
            });
        }
    }
    if (type == T2L_F16 || type == T2L_BF16) {
        first.clear();
        test(1, [&](backward_job job, int64_t parts) {
            launch(type == T2L_F16 ? linear_backward_any_f16 : linear_backward_any_bf16, tiles_of(n, in, ANY_ROWS, 256, parts), 256, 0, ddy.data, dw.data, 0, job);
        });
    }
}

static void check_gradient(int64_t n, int64_t out, int64_t in, random_numbers &r) {
    std::vector<float> x = normals(n * in, r), dy = normals(n * out, r), dw0 = normals(out * in, r), db0 = normals(out, r);
    std::vector<double> dw(dw0.begin(), dw0.end()), db(db0.begin(), db0.end());
    for (int64_t i = 0; i < n; i++) {
        for (int64_t o = 0; o < out; o++) {
            db[o] += dy[i * out + o];
            for (int64_t j = 0; j < in; j++) {
                dw[o * in + j] += (double)dy[i * out + o] * x[i * in + j];
            }
        }
    }
    device<float> dx(x), ddy(dy), bias(db0);
    for (const auto &k : GRADIENT_KERNELS) {
        device<float> there(dw0);
        launch(k.kernel, tiles_of(out, in, k.tile, k.tile), k.threads, 0, there.data, ddy.data, dx.data, n, out, in);
        char what[120];
        snprintf(what, sizeof what, "gradient %d, n %d, out %d, in %d", k.tile, (int)n, (int)out, (int)in);
        expect(what, there.host(), dw, 2e-6);
    }
    launch(linear_gradient_bias, dim3((out + 31) / 32), 256, 0, bias.data, ddy.data, n, out);
    expect("gradient of a bias", bias.host(), db, 2e-6);
}

#ifndef T2L_EMULATE
static void times() {
    printf("\nlinearbackward.cu: 2 n in out flops a second\n%-5s %-16s %5s %5s %9s %8s\n", "type", "out x in", "n", "tile", "us", "TFLOP/s");
    random_numbers r = {7};
    const int64_t shapes[][3] = {{4096, 4096, 4096}, {4096, 1536, 576}, {4096, 576, 1536}, {256, 4096, 512}};
    for (int type : {T2L_BF16, T2L_Q4_1, T2L_Q8_0, T2L_Q4_K, T2L_F16, T2L_F32}) {
        for (auto &s : shapes) {
            int64_t n = s[0], out = s[1], in = s[2];
            if (type == T2L_Q4_K && in % 256 != 0) {
                continue;
            }
            weights pattern(type, 64, in, r, false);
            device<uint8_t> w(out * pattern.row_bytes);
            for (int64_t at = 0; at < out * pattern.row_bytes; at += pattern.bytes.size()) {
                CHECK(cudaMemcpy(w.data + at, pattern.bytes.data(), std::min<int64_t>(pattern.bytes.size(), out * pattern.row_bytes - at), cudaMemcpyHostToDevice));
            }
            device<float> dy(normals(n * out, r)), dx(n * in);
            backward_job job = {dx.data, n, in, out, out, 0};
            auto show = [&](int tile, double us) {
                printf("%-5s %6dx%-9d %5d %5d %9.1f %8.1f\n", TYPE_NAMES[type], (int)out, (int)in, (int)n, tile, us, 2e-6 * n * in * out / us);
            };
            for (const auto &k : SINGLE_KERNELS) {
                if (type == T2L_F32 && k.tile > 32) {
                    show(k.tile, time_us([&](int) { launch(k.kernel, tiles_of(n, in, k.tile, k.tile), k.threads, 0, dy.data, (const float *)w.data, 0, job); }, 4));
                }
            }
            for (const tensor &k : TENSOR_KERNELS) {
                if (k.type == type) {
                    show(k.rows, time_us([&](int) { launch(k.kernel, tiles_of(n, in, k.rows, k.columns), k.threads, k.shared, dy.data, w.data, pattern.row_bytes, job); }, 4));
                }
            }
        }
    }
    for (auto &s : {std::vector<int64_t>{256, 65536, 512}, {512, 1024, 512}}) {
        device<float> x(normals(s[0] * s[2], r)), dy(normals(s[0] * s[1], r)), dw(normals(s[1] * s[2], r));
        for (const auto &k : GRADIENT_KERNELS) {
            double us = time_us([&](int) { launch(k.kernel, tiles_of(s[1], s[2], k.tile, k.tile), k.threads, 0, dw.data, dy.data, x.data, s[0], s[1], s[2]); }, 4);
            printf("dw    %6dx%-9d %5d %5d %9.1f %8.1f\n", (int)s[1], (int)s[2], (int)s[0], k.tile, us, 2e-6 * s[0] * s[1] * s[2] / us);
        }
    }
}
#endif

int main(int count, char **arguments) {
    random_numbers r = {3};
    for (int type = T2L_F32; type <= T2L_Q6_K; type++) {
        int64_t block = type >= T2L_Q4_K ? 256 : type >= T2L_Q4_0 ? 32 : 8;
        check(type, 5, 3, block, r);
        check(type, 130, 70, (72 + block - 1) / block * block, r);
        check(type, 33, 139, 256, r);
    }
    check(T2L_F32, 37, 5, 1, r);
    check(T2L_F32, 3, 70, 131, r);
    check(T2L_BF16, 7, 40, 61, r);
    check_gradient(1, 1, 1, r);
    check_gradient(5, 7, 13, r);
    check_gradient(150, 131, 77, r);
#ifndef T2L_EMULATE
    if (count < 2 || strcmp(arguments[1], "check") != 0) {
        times();
    }
#endif
    (void)count, (void)arguments;
    return finish("linearbackward");
}
