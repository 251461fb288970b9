/* Checks and times attention.cu and attentiontiles.cu; see run.sh. */
#include "check.h"
#include "../attention.cuh"
#include "../ptx.cuh"
namespace single { /* both have names of their own for the same things */
#include "../attention.cu"
}
#include "../attentiontiles.cu"

/* Beside those in use: other sizes, and f32 operands as two or three parts. */
TILES(attention_half_64_128_k32, 64, 128, 1, 32, 1)
TILES(attention_half_64_256_r2, 64, 256, 2, 64, 1)
TILES(attention_half_128_128_k32, 128, 128, 1, 32, 1)
TILES(attention_half_128_256_k32_r2, 128, 256, 2, 32, 1)
TILES(attention_half_256_64, 256, 64, 1, 32, 1)
TILES(attention_parts2_64_128, 64, 128, 1, 64, 2)
TILES(attention_parts2_128_128, 128, 128, 1, 64, 2)
TILES(attention_parts3_64_128, 64, 128, 1, 64, 3)
TILES(attention_parts3_128_128, 128, 128, 1, 32, 3)

typedef void attention_kernel(float *, const float *, int64_t, const float *, const float *, int64_t, const int *, int, int, int, int, float, float, int *);

/* Same family: same bits. */
struct variant {
    const char *name;
    int family, dim, vectors, threads, bytes;
    double error;
    bool heads_first; /* grid = (heads, tiles), else the other way around */
    attention_kernel *kernel;
};

#define F32(D, M, KEYS) {"f32 " #D, -1, D, M, 256, single::tile<D, M, KEYS>::BYTES, 5e-6, false, single::attention_##D}
#define BF16(kernel, D, M, R, KEYS, PARTS) \
    {#kernel, D + KEYS + 1000 * PARTS, D, M, flash<D, M, R, KEYS, PARTS>::THREADS, flash<D, M, R, KEYS, PARTS>::BYTES, PARTS == 1 ? 8e-3 : PARTS == 2 ? 5e-5 : 5e-6, true, kernel}
static const variant VARIANTS[] = {
    F32(64, 64, 64),
    F32(128, 64, 64),
    F32(256, 32, 32),
    BF16(attention_half_64_64, 64, 64, 1, 64, 1),
    BF16(attention_half_64_128, 64, 128, 1, 64, 1),
    BF16(attention_half_64_256_r2, 64, 256, 2, 64, 1),
    BF16(attention_half_64_128_k32, 64, 128, 1, 32, 1),
    BF16(attention_half_128_64, 128, 64, 1, 64, 1),
    BF16(attention_half_128_128, 128, 128, 1, 64, 1),
    BF16(attention_half_128_128_k32, 128, 128, 1, 32, 1),
    BF16(attention_half_128_256_k32_r2, 128, 256, 2, 32, 1),
    BF16(attention_half_256_128, 256, 128, 1, 32, 1),
    BF16(attention_half_256_64, 256, 64, 1, 32, 1),
    BF16(attention_parts2_64_128, 64, 128, 1, 64, 2),
    BF16(attention_parts2_128_128, 128, 128, 1, 64, 2),
    BF16(attention_parts3_64_128, 64, 128, 1, 64, 3),
    BF16(attention_parts3_128_128, 128, 128, 1, 32, 3),
};

struct problem {
    const char *name;
    int heads, kv_heads, d;
    std::vector<int> lengths; /* of sequences, which lie one after the other in k and v */
    bool causal;
    int window = 0;
    float scale = 0, softcap = 0;
    int each = 1;         /* rows: every each-th of a sequence */
    bool mixed = false;   /* rows of all sequences in turn, rather than one sequence after the other */
    int rotate = 1;

    int keys() const {
        int sum = 0;
        for (int l : lengths) {
            sum += l;
        }
        return sum;
    }
    float factor() const {
        return scale == 0 ? 1 / sqrtf((float)d) : scale;
    }
    std::vector<int> ranges() const {
        std::vector<std::pair<int, int>> order;
        std::vector<int> all;
        int base = 0;
        for (size_t s = 0; s < lengths.size(); base += lengths[s++]) {
            for (int i = lengths[s] % each; i < lengths[s]; i += each) {
                order.push_back({mixed ? i * 1000 + (int)s : (int)order.size(), (int)all.size()});
                all.push_back(base);
                all.push_back(causal ? base + i + 1 : base + lengths[s]);
            }
        }
        std::sort(order.begin(), order.end());
        std::vector<int> sorted;
        for (auto &o : order) {
            sorted.push_back(all[o.second]);
            sorted.push_back(all[o.second + 1]);
        }
        return sorted;
    }
};

static std::vector<double> reference(const problem &p, const std::vector<int> &ranges, const std::vector<float> &q, const std::vector<float> &k, const std::vector<float> &v) {
    std::vector<double> out(q.size());
    int group = p.heads / p.kv_heads;
    int64_t n = (int64_t)ranges.size() / 2, cols = (int64_t)p.kv_heads * p.d;
    for (int64_t i = 0; i < n; i++) {
        int from = ranges[2 * i], to = ranges[2 * i + 1];
        from = p.window > 0 ? std::max(from, to - p.window) : from;
        for (int h = 0; h < p.heads; h++) {
            std::vector<double> weights(to - from);
            double largest = -INFINITY, total = 0;
            for (int key = from; key < to; key++) {
                double dot = 0;
                for (int x = 0; x < p.d; x++) {
                    dot += (double)q[(i * p.heads + h) * p.d + x] * k[key * cols + h / group * p.d + x];
                }
                dot *= p.factor();
                dot = p.softcap == 0 ? dot : p.softcap * tanh(dot / p.softcap);
                weights[key - from] = dot;
                largest = std::max(largest, dot);
            }
            double *to_out = &out[(i * p.heads + h) * p.d];
            for (int key = from; key < to; key++) {
                double w = exp(weights[key - from] - largest);
                total += w;
                for (int x = 0; x < p.d; x++) {
                    to_out[x] += w * v[key * cols + h / group * p.d + x];
                }
            }
            for (int x = 0; x < p.d; x++) {
                to_out[x] /= total;
            }
        }
    }
    return out;
}

static void run(const variant &f, const problem &p, float *out, const float *q, int64_t n, const float *k, const float *v, int64_t kv_rows, const int *ranges, int *fault) {
    int rows = f.vectors / (p.heads / p.kv_heads);
    unsigned tiles = (unsigned)((n + rows - 1) / rows), heads = p.kv_heads;
    launch(f.kernel, f.heads_first ? dim3(heads, tiles) : dim3(tiles, heads), f.threads, f.bytes, out, q, n, k, v, kv_rows, ranges, p.heads, p.kv_heads, p.d, p.window,
           p.factor(), p.softcap, fault);
}

static bool fits(const variant &f, const problem &p) {
    return p.d <= f.dim && (p.d > f.dim / 2 || f.dim == 64) && p.heads / p.kv_heads <= f.vectors && (p.d % 16 == 0 || !f.heads_first);
}

/* Every kernel that fits: right; the bits of its family; a row alone as among others, and so from memory that is aligned to 4 only. */
static void check(const problem &p, random_numbers &r, int alone = 5) {
    std::vector<int> ranges = p.ranges();
    int64_t n = (int64_t)ranges.size() / 2, q_cols = (int64_t)p.heads * p.d, kv = (int64_t)p.keys() * p.kv_heads * p.d;
    std::vector<float> q = normals(n * q_cols, r), k = normals(kv, r), v = normals(kv, r);
    device<float> dq(q), dk(k), dv(v), skewed(k, 4);
    device<int> dranges(ranges), fault(std::vector<int>{0});
    std::vector<double> expected = reference(p, ranges, q, k, v);
    std::vector<std::pair<int, std::vector<float>>> families;
    for (const variant &f : VARIANTS) {
        if (!fits(f, p)) {
            continue;
        }
        char what[160];
        snprintf(what, sizeof what, "%s, %s, %d/%d heads of %d", f.name, p.name, p.heads, p.kv_heads, p.d);
        device<float> out(n * q_cols), one(q_cols), again(n * q_cols);
        run(f, p, out.data, dq.data, n, dk.data, dv.data, p.keys(), dranges.data, fault.data);
        std::vector<float> all = out.host();
        expect(what, all, expected, p.scale < 10 ? f.error : 15 * f.error);
        for (auto &other : families) {
            failures += other.first == f.family && memcmp(other.second.data(), all.data(), all.size() * 4) != 0 && printf("FAIL %s: other bits than by another tile\n", what);
        }
        if (f.family >= 0) {
            families.push_back({f.family, all});
        }
        for (int i = 0; i < alone; i++) {
            int64_t row = i == 0 ? n - 1 : r.below((int)n);
            run(f, p, one.data, dq.data + row * q_cols, 1, dk.data, dv.data, p.keys(), dranges.data + 2 * row, fault.data);
            failures += memcmp(one.host().data(), &all[row * q_cols], q_cols * 4) != 0 && printf("FAIL %s: row %d alone has other bits\n", what, (int)row);
        }
        run(f, p, again.data, dq.data, n, skewed.data, dv.data, p.keys(), dranges.data, fault.data);
        failures += memcmp(again.host().data(), all.data(), all.size() * 4) != 0 && printf("FAIL %s: other bits when keys start elsewhere\n", what);
    }
    failures += fault.host()[0] != 0 && printf("FAIL %s: reports a fault\n", p.name);
}

/* A range outside the keys: reported, its row left alone, the others as ever. */
static void check_fault(random_numbers &r) {
    problem p = {"a faulty range", 4, 2, 64, {40}, true};
    std::vector<int> ranges = p.ranges();
    device<float> q(normals(40 * 256, r)), k(normals(40 * 128, r)), v(normals(40 * 128, r));
    for (const variant &f : VARIANTS) {
        if (!fits(f, p)) {
            continue;
        }
        device<int> right(ranges), fault(std::vector<int>{0});
        device<float> out(std::vector<float>(40 * 256, 7)), wrong_out(std::vector<float>(40 * 256, 7));
        run(f, p, out.data, q.data, 40, k.data, v.data, 40, right.data, fault.data);
        std::vector<int> some = ranges;
        some[2 * 11 + 1] = 41;
        device<int> wrong(some);
        run(f, p, wrong_out.data, q.data, 40, k.data, v.data, 40, wrong.data, fault.data);
        std::vector<float> expected = out.host();
        std::fill(&expected[11 * 256], &expected[12 * 256], 7);
        expect_true(f.name, fault.host()[0] == T2L_FAULT_ATTENTION && wrong_out.host() == expected);
    }
}

#ifndef T2L_EMULATE
static void times() {
    printf("\nattention: copy %.0f GB/s; 4 head_dim flops a row, head and key that it sees\n", copy_bandwidth() / 1e3);
    printf("%-26s %-26s %9s %9s\n", "", "kernel", "us", "TFLOP/s");
    random_numbers r = {7};
    const problem problems[] = {
        {"Mistral 2048", 32, 8, 128, {2048}, true, 0, 0, 0, 1, false, 2},
        {"Mistral 4 x 512", 32, 8, 128, {512, 512, 512, 512}, true, 0, 0, 0, 1, false, 2},
        {"Mistral 8192", 32, 8, 128, {8192}, true, 0, 0, 0, 1, false, 1},
        {"Gemma-2 2048, window 1024", 8, 4, 256, {2048}, true, 1024, 0, 50, 1, false, 2},
        {"SmolLM2 512", 9, 3, 64, {512}, true, 0, 0, 0, 1, false, 16},
        {"gte 48", 16, 16, 64, {48}, false, 0, 0, 0, 1, false, 100},
        {"gte 48, in L2", 16, 16, 64, {48}, false, 0, 0, 0, 1, false, 1},
        {"gte 32 x 48", 16, 16, 64, std::vector<int>(32, 48), false, 0, 0, 0, 1, false, 4},
    };
    for (const problem &p : problems) {
        std::vector<int> ranges = p.ranges();
        int64_t n = (int64_t)ranges.size() / 2, q_size = n * p.heads * p.d, kv_size = (int64_t)p.keys() * p.kv_heads * p.d;
        double flops = 0;
        for (int64_t i = 0; i < n; i++) {
            int keys = ranges[2 * i + 1] - ranges[2 * i];
            flops += 4.0 * p.d * p.heads * (p.window > 0 ? std::min(p.window, keys) : keys);
        }
        std::vector<device<float>> q, k, v, out;
        for (int i = 0; i < p.rotate; i++) {
            q.emplace_back(normals(i == 0 ? q_size : 0, r)), k.emplace_back(normals(i == 0 ? kv_size : 0, r)), v.emplace_back(normals(i == 0 ? kv_size : 0, r));
            out.emplace_back((size_t)q_size);
            if (i > 0) {
                q[i] = device<float>((size_t)q_size), k[i] = device<float>((size_t)kv_size), v[i] = device<float>((size_t)kv_size);
                CHECK(cudaMemcpy(q[i].data, q[0].data, q_size * 4, cudaMemcpyDeviceToDevice));
                CHECK(cudaMemcpy(k[i].data, k[0].data, kv_size * 4, cudaMemcpyDeviceToDevice));
                CHECK(cudaMemcpy(v[i].data, v[0].data, kv_size * 4, cudaMemcpyDeviceToDevice));
            }
        }
        device<int> dranges(ranges), fault(std::vector<int>{0});
        for (const variant &f : VARIANTS) {
            if (!fits(f, p)) {
                continue;
            }
            double us = time_us([&](int i) { i %= p.rotate; run(f, p, out[i].data, q[i].data, n, k[i].data, v[i].data, p.keys(), dranges.data, fault.data); }, flops > 1e9 ? 4 : 24);
            printf("%-26s %-26s %9.1f %9.1f\n", p.name, f.name, us, flops / us / 1e6);
        }
    }
}
#endif

int main(int count, char **arguments) {
    random_numbers r = {3};
    check({"causal", 2, 2, 64, {70}, true}, r);
    check({"causal", 4, 1, 128, {150}, true, 0, 0, 0, 3}, r);
    check({"bidirectional, ragged", 2, 2, 64, {48, 1, 130, 17}, false}, r);
    check({"causal, ragged", 8, 1, 16, {31, 70, 3}, true}, r);
    check({"rows of all sequences in turn", 2, 1, 96, {31, 70, 3, 66}, true, 0, 0, 0, 5, true}, r);
    check({"window", 2, 1, 80, {210}, true, 70, 0, 0, 4}, r);
    check({"window, ragged, softcap", 4, 2, 256, {20, 75}, true, 33, 0, 5, 3}, r);
    check({"softcap", 3, 1, 32, {90}, true, 0, 0.5f, 3, 2}, r);
    check({"large scores", 6, 2, 16, {201}, true, 0, 30, 0, 7}, r);
    check({"negative scale", 1, 1, 128, {66}, true, 0, -0.1f, 0, 5}, r);
    check({"head_dim of the other way", 2, 1, 6, {66}, true, 0, 0, 0, 5}, r);
    check({"many heads to a key head", 33, 1, 48, {67}, true, 0, 0, 0, 9}, r);
#ifndef T2L_EMULATE
    check({"long", 32, 8, 128, {700, 300}, true}, r);
    check({"long window", 8, 4, 256, {600}, true, 200, 0, 50}, r);
    check({"long, 9/3 heads", 9, 3, 64, {512}, true}, r);
    check({"gte", 16, 16, 64, std::vector<int>(32, 48), false}, r);
#endif
    check_fault(r);
#ifndef T2L_EMULATE
    if (count < 2 || strcmp(arguments[1], "check") != 0) {
        times();
    }
#endif
    (void)count, (void)arguments;
    return finish("attention");
}
