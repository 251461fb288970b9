/* Checks and times lora.cu; see run.sh. */
#include "../lora.cu"
#include "adapters.h"
#include "weights.h"

static void run_low(const batch &b, const float *x, bool rows, int *fault) {
    if (rows) {
        launch(lora_low_rows, dim3((b.n + ROWS - 1) / ROWS, (b.stride + WARPS - 1) / WARPS, b.per_row), THREADS, 0, x, b.n, b.in, fault, b.rows());
    } else {
        launch(lora_low, dim3(b.stride, b.n, b.per_row), THREADS, 0, x, b.in, fault, b.rows());
    }
}

static void run_add(const batch &b, float *y) {
    int rows = b.n >= 64 ? 16 : 1;
    launch(lora_add_rows, dim3((b.out + THREADS - 1) / THREADS, (b.n + rows - 1) / rows), THREADS, 0, y, b.n, b.out, rows, b.rows());
}

static void check(int64_t n, int64_t in, int64_t out, int64_t per_row, int64_t head_dim, std::vector<int> ranks, std::vector<int32_t> slots, random_numbers &r) {
    batch b(n, in, out, per_row, head_dim, ranks, slots, r);
    std::vector<float> x = normals(n * in, r);
    std::vector<float> y0 = normals(n * out, r);
    std::vector<double> expected(y0.begin(), y0.end());
    b.expected(expected, x);
    device<float> dx(x);
    device<int> fault(std::vector<int>{0});
    std::vector<float> first;
    for (bool rows : {false, true}) {
        device<float> y(y0);
        CHECK(cudaMemset(b.low.data, 0xff, b.low.count * 4));
        run_low(b, dx.data, rows, fault.data);
        run_add(b, y.data);
        char what[120];
        snprintf(what, sizeof what, "lora %s, n %d, in %d, out %d, %d a row, head %d", rows ? "rows" : "few", (int)n, (int)in, (int)out, (int)per_row, (int)head_dim);
        std::vector<float> all = y.host();
        expect(what, all, expected, 1e-6);
        failures += !first.empty() && memcmp(first.data(), all.data(), all.size() * 4) != 0 && printf("FAIL %s: other bits than for few rows\n", what);
        first = all;
        for (int64_t i = 0; i < n; i++) { /* rows without adapters keep their bits */
            bool none = true;
            for (int64_t s = i * per_row; s < (i + 1) * per_row && b.slots[s] >= 0; s++) {
                none &= b.weights[s] == 0;
            }
            failures += none && memcmp(&all[i * out], &y0[i * out], out * 4) != 0 && printf("FAIL %s: row %d has no adapter, but other bits\n", what, (int)i);
        }
    }
    expect_true("lora: no fault", fault.host()[0] == 0);
}

/* A x of three products of one input, the second without adapters, of norm(x) if norm_type is one; and each row alone. */
static void check_low_thin(int n, int in, int norm_type, random_numbers &r) {
    std::vector<int32_t> slots[2];
    for (int i = 0; i < n; i++) {
        slots[0].push_back(i % 3 - 1);
        slots[1].push_back(i % 4 == 1 ? -1 : i % 3);
        slots[1].push_back(i % 2 == 0 ? 2 : -1);
    }
    batch q(n, in, 16, 1, 0, {8, 3}, slots[0], r), v(n, in, 16, 2, 0, {5, 20, 1}, slots[1], r);
    const std::vector<float> x = normals((size_t)n * in, r);
    const weights norm(std::max(norm_type, 0), 1, in, r);
    const float eps = 1e-5f, offset = 1;
    const std::vector<double> exact = norm_type < 0 ? std::vector<double>(x.begin(), x.end()) : normed(x, n, norm, eps, offset);
    device<float> dx(x);
    device<uint8_t> dnorm(norm.bytes);
    device<int> fault(std::vector<int>{0});
    low_launch a = {dx.data, in, norm_type < 0 ? nullptr : dnorm.data, norm_type, norm_numbers(eps, offset), fault.data, 3, {q.rows(), lora_rows(), v.rows()}};
    launch(lora_low_thin, dim3(20, n, 3), THREADS, 0, a);
    for (const batch *b : {&q, &v}) {
        const std::vector<float> got = b->low.host(), want = b->lows(exact);
        for (int i = 0; i < n; i++) {
            for (int64_t s = i * b->per_row; s < (i + 1) * b->per_row && b->slots[s] >= 0; s++) {
                if (b->weights[s] != 0) {
                    const size_t from = s * b->stride, to = from + b->ranks[b->slots[s]];
                    char what[120];
                    snprintf(what, sizeof what, "lora low thin, n %d, in %d, norm %d, entry %d", n, in, norm_type, (int)s);
                    expect(what, std::vector<float>(&got[from], &got[to]), std::vector<double>(&want[from], &want[to]), 5e-6);
                }
            }
        }
    }
    const std::vector<float> all = v.low.host();
    CHECK(cudaMemset(v.low.data, 0xff, v.low.count * 4));
    for (int i = 0; i < n; i++) {
        low_launch one = a;
        one.x += (size_t)i * in;
        one.products[0] = lora_rows();
        one.products[2].slots += 2 * i;
        one.products[2].weights += 2 * i;
        one.products[2].low += 2 * i * v.stride;
        launch(lora_low_thin, dim3(20, 1, 2), THREADS, 0, one);
    }
    expect_true("lora low thin: rows alone have other bits", memcmp(all.data(), v.low.host().data(), all.size() * 4) == 0);
    expect_true("lora low thin: no fault", fault.host()[0] == 0);
}

#ifndef T2L_EMULATE
static void times() {
    random_numbers r = {5};
    printf("\nlora.cu, in = out = 4096\n%5s %9s %5s %9s %9s\n", "n", "adapters", "rank", "low us", "add us");
    struct { int n, adapters, rank; } cases[] = {{1, 1, 8}, {8, 1, 8}, {8, 8, 8}, {8, 8, 64}, {2048, 1, 8}, {2048, 8, 8}, {2048, 1, 64}};
    for (auto &c : cases) {
        std::vector<int32_t> slots;
        for (int i = 0; i < c.n; i++) {
            slots.push_back(i * c.adapters / c.n);
        }
        batch b(c.n, 4096, 4096, 1, 0, std::vector<int>(c.adapters, c.rank), slots, r);
        b.weights.assign(c.n, 1);
        b.dweights = device<float>(b.weights);
        device<float> x(normals((size_t)c.n * 4096, r)), y(normals((size_t)c.n * 4096, r));
        device<int> fault(std::vector<int>{0});
        double low = time_us([&](int) { run_low(b, x.data, c.n > 32, fault.data); });
        double add = time_us([&](int) { run_add(b, y.data); });
        printf("%5d %9d %5d %9.2f %9.2f\n", c.n, c.adapters, c.rank, low, add);
    }
}
#endif

int main(int count, char **arguments) {
    random_numbers r = {11};
    check(1, 64, 48, 1, 0, {8}, {0}, r);
    check(3, 131, 70, 1, 0, {3}, {0, -1, 0}, r);
    check(9, 1100, 300, 2, 0, {8, 17, 1}, {0, -1, 0, 1, 0, 1, 1, 0, -1, -1, 2, 2, 0, -1, 0, -1, 0, -1}, r);
    check(5, 4096, 64, 1, 16, {8, 16}, {0, 0, 1, 1, 0}, r);
    check(70, 256, 32, 1, 8, {64}, std::vector<int32_t>(70, 0), r);
    std::vector<int32_t> skewed(130, 1);
    skewed[77] = 0;
    skewed[129] = -1;
    check(130, 72, 40, 1, 0, {8, 4}, skewed, r);
    for (int norm_type : {-1, (int)T2L_F32, (int)T2L_F16, (int)T2L_BF16}) {
        check_low_thin(1, 8, norm_type, r);
        check_low_thin(7, 1096, norm_type, r);
        check_low_thin(3, 4096, norm_type, r);
    }
#ifndef T2L_EMULATE
    if (count < 2 || strcmp(arguments[1], "check") != 0) {
        times();
    }
#endif
    (void)count, (void)arguments;
    return finish("lora");
}
