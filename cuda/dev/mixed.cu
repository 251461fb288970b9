/* Checks and times mixed.cu; see run.sh. Inputs are such that bf16 holds them. */
#include "../mixed.cu"
#include "halves.h"

static void check_norms(int64_t n, int d, bool half_x, bool half_dy, bool half_dx, bool half_out, bool add, random_numbers &r) {
    std::vector<float> x = normals(n * d, r), dy = normals(n * d, r), weight = normals(d, r), dx0 = normals(n * d, r), zero(n * d);
    activations tx(x, half_x), hx(x, true), tdy(dy, half_dy), tdx(dx0, half_dx), out(zero, half_out), copy(zero, true), copy_dx(zero, true);
    x = hx.host();
    if (!half_x) {
        tx = activations(x, false);
    }
    device<float> tw(weight);
    const float eps = 1e-5f, offset = 0.5f;
    std::vector<double> e(n * d), edx(n * d);
    for (int64_t i = 0; i < n; i++) {
        double squares = 0, dot = 0;
        for (int c = 0; c < d; c++) {
            squares += (double)x[i * d + c] * x[i * d + c];
            dot += (double)x[i * d + c] * dy[i * d + c] * (weight[c] + offset);
        }
        const double factor = 1 / sqrt(squares / d + eps);
        for (int c = 0; c < d; c++) {
            e[i * d + c] = x[i * d + c] * factor * (weight[c] + offset);
            edx[i * d + c] = (add ? dx0[i * d + c] : 0) + factor * dy[i * d + c] * (weight[c] + offset) - x[i * d + c] * factor * factor * factor * dot / d;
        }
    }
    const int wide = d > 1024;
    const dim3 grid((unsigned)(wide ? n : (n + 7) / 8));
    launch(mixed_norm, grid, THREADS, 0, out.data(), (int)half_out, (uint4 *)copy.data(), tx.data(), (int)half_x, n, d / 8, (const uint8_t *)tw.data, (int)T2L_F32, eps, offset, wide);
    launch(mixed_norm_backward, grid, THREADS, 0, tdx.data(), (int)half_dx, (uint4 *)copy_dx.data(), tdy.data(), (int)half_dy, (const uint4 *)hx.data(), n, d / 8,
           (const uint8_t *)tw.data, (int)T2L_F32, eps, offset, (int)add, wide);
    expect("mixed norm", out.host(), e, half_out ? 4e-3 : 1e-6);
    expect("mixed norm, copy", copy.host(), std::vector<double>(x.begin(), x.end()), 0);
    expect("mixed norm backward", tdx.host(), edx, half_dx ? 4e-3 : 1e-6);
    expect("mixed norm backward, copy", copy_dx.host(), edx, 4e-3);
}

static void check_rope(int64_t n, int heads, int h, bool interleaved, random_numbers &r) {
    std::vector<float> x = normals(n * heads * 2 * h, r), angles = normals(n * 2 * h, r);
    activations tx(x, true);
    device<float> ta(angles);
    std::vector<double> e(x.begin(), x.end());
    for (int64_t i = 0; i < n * heads; i++) {
        for (int j = 0; j < h; j++) {
            const int64_t a = i * 2 * h + (interleaved ? 2 * j : j), b = interleaved ? a + 1 : a + h;
            const double c = angles[i / heads * 2 * h + j], s = angles[i / heads * 2 * h + h + j];
            e[a] = x[a] * c - x[b] * s;
            e[b] = x[b] * c + x[a] * s;
        }
    }
    launch(mixed_rope, dim3(3), THREADS, 0, (uint4 *)tx.data(), n, heads, h, (const float *)ta.data, (int)interleaved);
    expect(interleaved ? "mixed rope, interleaved" : "mixed rope", tx.host(), e, 4e-3);
}

static void check_gated(int64_t n, int f, random_numbers &r) {
    std::vector<float> gate = normals(n, r), up = normals(n, r), dy = normals(n, r);
    activations tg(gate, true), tu(up, true), td(dy, true);
    std::vector<double> eg(n), eu(n);
    for (int64_t i = 0; i < n; i++) {
        const double x = gate[i], s = 1 / (1 + exp(-x)), phi = 0.5 * erfc(-x / sqrt(2)), u = 0.7978845608 * (x + 0.044715 * x * x * x), th = tanh(u);
        const double value[] = {x * s, x * phi, 0.5 * x * (1 + th), x < 0 ? 0 : x};
        const double slope[] = {s * (1 + x * (1 - s)), phi + x * exp(-x * x / 2) / sqrt(2 * 3.14159265358979),
                                0.5 * (1 + th) + 0.5 * x * (1 - th * th) * 0.7978845608 * (1 + 3 * 0.044715 * x * x), x > 0 ? 1.0 : 0};
        eg[i] = dy[i] * up[i] * slope[f];
        eu[i] = dy[i] * value[f];
    }
    launch(mixed_gated_backward, dim3(2), THREADS, 0, (uint4 *)tg.data(), (uint4 *)tu.data(), (const uint4 *)td.data(), (const uint4 *)tg.data(), (const uint4 *)tu.data(), n / 8, f);
    expect("mixed gated backward, gate", tg.host(), eg, 4e-3);
    expect("mixed gated backward, up", tu.host(), eu, 4e-3);
}

#ifndef T2L_EMULATE
static void times() {
    printf("\nmixed.cu (a copy makes %.0f GB/s)\n%-40s %9s %9s\n", copy_bandwidth() / 1e3, "kernel", "us", "GB/s");
    const int64_t n = 4096, wide = 14336;
    for (int d : {4096, 576}) {
        device<float> x(n * d), dy(n * d), dx(n * d), w((size_t)d), angles(n * 128);
        device<uint16_t> h(n * d), out(n * d), copy(n * d);
        const int block = d > 1024;
        const dim3 grid((unsigned)(block ? n : n / 8));
        auto line = [&](const char *name, double bytes, std::function<void()> call) {
            const double us = time_us([&](int) { call(); }, 6);
            printf("%-32s %7d %9.1f %9.0f\n", name, d, us, bytes * n * d / us / 1e3);
        };
        line("norm of f32, copied", 8, [&] {
            launch(mixed_norm, grid, THREADS, 0, (void *)out.data, 1, (uint4 *)copy.data, (void *)x.data, 0, n, d / 8, (const uint8_t *)w.data, (int)T2L_F32, 1e-5f, 0.f, block);
        });
        line("norm of bf16", 4, [&] {
            launch(mixed_norm, grid, THREADS, 0, (void *)out.data, 1, (uint4 *)nullptr, (void *)h.data, 1, n, d / 8, (const uint8_t *)w.data, (int)T2L_F32, 1e-5f, 0.f, block);
        });
        line("norm backward", 16, [&] {
            launch(mixed_norm_backward, grid, THREADS, 0, (void *)dx.data, 0, (uint4 *)copy.data, (void *)dy.data, 0, (const uint4 *)h.data, n, d / 8, (const uint8_t *)w.data,
                   (int)T2L_F32, 1e-5f, 0.f, 1, block);
        });
        line("rope", 4, [&] { launch(mixed_rope, dim3(4096), THREADS, 0, (uint4 *)h.data, n, d / (d % 128 == 0 ? 128 : 64), d % 128 == 0 ? 64 : 32, (const float *)angles.data, 0); });
    }
    device<uint16_t> gate(n * wide), up(n * wide), dy(n * wide);
    const double us = time_us([&](int) {
        launch(mixed_gated_backward, dim3(8192), THREADS, 0, (uint4 *)gate.data, (uint4 *)up.data, (const uint4 *)dy.data, (const uint4 *)gate.data, (const uint4 *)up.data, n * wide / 8,
               (int)T2L_SILU);
    }, 4);
    printf("%-32s %7d %9.1f %9.0f\n", "gated backward", (int)wide, us, 10.0 * n * wide / us / 1e3);
}
#endif

int main(int count, char **arguments) {
    random_numbers r = {11};
    check_norms(9, 4096, false, false, false, true, true, r);
    check_norms(19, 64, true, true, true, false, false, r);
    check_norms(3, 2056, true, false, false, false, false, r);
    check_norms(11, 576, false, true, false, true, true, r);
    check_norms(5, 8, true, false, true, true, false, r);
    check_rope(7, 3, 32, false, r);
    check_rope(5, 2, 40, true, r);
    for (int f = 0; f < 4; f++) {
        check_gated(8 * 301, f, r);
    }
#ifndef T2L_EMULATE
    if (count < 2 || strcmp(arguments[1], "check") != 0) {
        times();
    }
#endif
    (void)count, (void)arguments;
    return finish("mixed");
}
