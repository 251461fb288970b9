/*
 * The products of a Mistral-7B layer over 2048 rows by cublasLt, and the kernels around them (convert.cu, addend.cu): TFLOP/s, GB/s, and
 * whole layers in their order. Needs a GPU; cublasLt is loaded as CudaBlasLt.java does, so no headers are wanted. Not part of run.sh:
 *   nvcc -std=c++17 -O3 --allow-unsupported-compiler -gencode arch=compute_90a,code=sm_90a -o prefill prefill.cu -ldl && ./prefill
 */
#include "../convert.cu"
#include "../addend.cu"
#include "adapters.h"
#include <dlfcn.h>

struct algorithm {
    uint64_t data[8];
};

struct heuristic_result {
    algorithm algo;
    size_t workspace;
    int state;
    float waves;
    int reserved[4];
};

struct library {
    int (*Create)(void **);
    size_t (*GetVersion)();
    int (*DescCreate)(void **, int, int);
    int (*DescSet)(void *, int, const void *, size_t);
    int (*LayoutCreate)(void **, int, uint64_t, uint64_t, int64_t);
    int (*LayoutSet)(void *, int, const void *, size_t);
    int (*PrefCreate)(void **);
    int (*PrefSet)(void *, int, const void *, size_t);
    int (*Heuristic)(void *, void *, void *, void *, void *, void *, void *, int, heuristic_result *, int *);
    int (*ConfigGet)(const algorithm *, int, void *, size_t, size_t *);
    int (*Matmul)(void *, void *, const void *, const void *, void *, const void *, void *, const void *, const void *, void *, void *, void *, const algorithm *,
                  void *, size_t, cudaStream_t);
    void *handle, *preference;

    library() {
        void *so = nullptr;
        for (const char *name : {"libcublasLt.so.13", "/usr/local/cuda/lib64/libcublasLt.so.13", "libcublasLt.so.12"}) {
            so = so != nullptr ? so : dlopen(name, RTLD_NOW | RTLD_LOCAL);
        }
        if (so == nullptr) {
            printf("FAIL no cublasLt: %s\n", dlerror());
            exit(1);
        }
        auto find = [&](auto &f, const char *name) { f = (std::remove_reference_t<decltype(f)>)dlsym(so, name); };
        find(Create, "cublasLtCreate");
        find(GetVersion, "cublasLtGetVersion");
        find(DescCreate, "cublasLtMatmulDescCreate");
        find(DescSet, "cublasLtMatmulDescSetAttribute");
        find(LayoutCreate, "cublasLtMatrixLayoutCreate");
        find(LayoutSet, "cublasLtMatrixLayoutSetAttribute");
        find(PrefCreate, "cublasLtMatmulPreferenceCreate");
        find(PrefSet, "cublasLtMatmulPreferenceSetAttribute");
        find(Heuristic, "cublasLtMatmulAlgoGetHeuristic");
        find(ConfigGet, "cublasLtMatmulAlgoConfigGetAttribute");
        find(Matmul, "cublasLtMatmul");
        ok(Create(&handle), "create");
        ok(PrefCreate(&preference), "preference");
        uint64_t bytes = 32 << 20;
        uint32_t mask = 0, alignment = 16;
        ok(PrefSet(preference, 1, &bytes, 8), "workspace");
        ok(PrefSet(preference, 3, &mask, 4), "reduction");
        for (int i = 5; i < 9; i++) {
            ok(PrefSet(preference, i, &alignment, 4), "alignment");
        }
    }

    static void ok(int status, const char *what) {
        if (status != 0) {
            printf("FAIL cublasLt %s: status %d\n", what, status);
            exit(1);
        }
    }
};

static library &lt() {
    static library l;
    return l;
}

enum { N = 2048 };
static uint8_t *workspace;

/* Products y [n, out] = x [n, in] w [out, in]^T; type of y: 0 f32, 14 bf16; count of them with one x. */
struct plan {
    int64_t in, out;
    int type, count;
    void *operation, *w, *x, *y;
    heuristic_result found[16];
    int candidates, chosen = -1;

    plan(int64_t in, int64_t out, int type, int count = 1) : in(in), out(out), type(type), count(count) {
        int transposed = 1;
        library::ok(lt().DescCreate(&operation, 68, 0), "operation");
        library::ok(lt().DescSet(operation, 3, &transposed, 4), "transposition");
        layout(&w, 14, in, out, in * out);
        layout(&x, 14, in, N, 0);
        layout(&y, type, out, N, N * out);
        library::ok(lt().Heuristic(lt().handle, operation, w, x, y, y, lt().preference, 16, found, &candidates), "heuristic");
        for (int i = candidates - 1; i >= 0; i--) {
            chosen = found[i].state == 0 && config(i, 2) <= 1 ? i : chosen;
        }
        if (chosen < 0) {
            library::ok(-1, "has no algorithm");
        }
    }

    int config(int i, int attribute) {
        uint64_t value = 0;
        size_t written;
        if (lt().ConfigGet(&found[i].algo, attribute, &value, attribute >= 7 ? 2 : 4, &written) != 0) {
            return -1;
        }
        return (int)value;
    }

    void layout(void **l, int t, uint64_t rows, uint64_t columns, int64_t stride) {
        library::ok(lt().LayoutCreate(l, t, rows, columns, rows), "layout");
        if (count > 1) {
            int32_t c = count;
            library::ok(lt().LayoutSet(*l, 5, &c, 4), "count");
            library::ok(lt().LayoutSet(*l, 6, &stride, 8), "stride");
        }
    }

    void run(void *to, const void *from, const void *weights, int64_t n = N, float beta = 0, int algo = -1) {
        float one = 1;
        library::ok(lt().LayoutSet(x, 3, &n, 8), "rows");
        library::ok(lt().LayoutSet(y, 3, &n, 8), "rows");
        library::ok(lt().Matmul(lt().handle, operation, &one, weights, w, from, x, &beta, to, y, to, y, &found[algo < 0 ? chosen : algo].algo, workspace, 32 << 20, stream),
                    "product");
    }

    double flops() const {
        return 2.0 * N * in * out * count;
    }
};

static std::vector<uint16_t> random_bf16(size_t n, random_numbers &r, float scale) {
    std::vector<uint16_t> v(n);
    static std::vector<uint16_t> some;
    if (some.empty()) {
        for (int i = 0; i < 1 << 20; i++) {
            float f = r.normal();
            uint32_t u;
            memcpy(&u, &f, 4);
            some.push_back(u >> 16);
        }
    }
    const int down = (int)lrintf(log2f(scale)) * 128; /* by a power of two */
    size_t at = r.below(1 << 20);
    for (size_t i = 0; i < n; i++, at += 1 + (i % 977 == 0)) {
        v[i] = some[at & ((1 << 20) - 1)] + down;
    }
    return v;
}

static float value(uint16_t v) {
    uint32_t u = (uint32_t)v << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

/* Rows alone and in other batches have the same bits; a few are right. */
static void check(plan &p, const char *name, random_numbers &r) {
    std::vector<uint16_t> hx = random_bf16(N * p.in, r, 1), hw = random_bf16(p.out * p.in * p.count, r, 1.0f / 64);
    device<uint16_t> x(hx), w(hw);
    const size_t size = p.type == 0 ? 4 : 2;
    device<uint8_t> y((size_t)N * p.out * p.count * size), part((size_t)N * p.out * p.count * size);
    p.run(y.data, x.data, w.data);
    CHECK(cudaStreamSynchronize(stream));
    std::vector<uint8_t> whole = y.host();
    double worst = 0;
    for (int i = 0; i < 200; i++) {
        int64_t row = r.below(N), o = r.below((int)p.out);
        double sum = 0, magnitude = 0;
        for (int64_t k = 0; k < p.in; k++) {
            double product = (double)value(hx[row * p.in + k]) * value(hw[o * p.in + k]);
            sum += product;
            magnitude += fabs(product);
        }
        float got;
        if (p.type == 0) {
            memcpy(&got, &whole[(row * p.out + o) * 4], 4);
        } else {
            got = value(((uint16_t *)whole.data())[row * p.out + o]);
        }
        worst = std::max(worst, (fabs(got - sum) - (p.type == 0 ? 0 : fabs(sum) / 256)) / magnitude);
    }
    char what[100];
    snprintf(what, sizeof what, "%s: 200 sums, worst %.1e of |x||w|", name, worst);
    expect_true(what, worst < 3e-6);
    struct { int64_t first, n; } pieces[] = {{0, 1}, {5, 3}, {100, 300}, {2047, 1}, {64, 129}, {1000, 1048}};
    int64_t stride = N * p.out;
    for (auto &piece : pieces) {
        p.run(part.data, x.data + piece.first * p.in, w.data, piece.n);
        CHECK(cudaStreamSynchronize(stream));
        std::vector<uint8_t> some = part.host();
        bool same = true;
        for (int c = 0; c < p.count; c++) {
            same &= memcmp(&some[c * stride * size], &whole[(c * stride + piece.first * p.out) * size], piece.n * p.out * size) == 0;
        }
        snprintf(what, sizeof what, "%s: rows %d to %d alone have the same bits", name, (int)piece.first, (int)(piece.first + piece.n));
        expect_true(what, same);
    }
    /* onto zeros: the same bits, too */
    CHECK(cudaMemset(part.data, 0, part.count));
    p.run(part.data, x.data, w.data, N, 1);
    CHECK(cudaStreamSynchronize(stream));
    snprintf(what, sizeof what, "%s: onto zeros has the same bits", name);
    expect_true(what, memcmp(part.host().data(), whole.data(), whole.size()) == 0);
}

static void times(plan &p, const char *name, random_numbers &r) {
    enum { COPIES = 4 };
    std::vector<device<uint16_t>> w;
    device<uint16_t> x(random_bf16(N * p.in, r, 1));
    for (int i = 0; i < COPIES; i++) {
        w.emplace_back(random_bf16(p.out * p.in * p.count, r, 1.0f / 64));
    }
    device<uint8_t> y((size_t)N * p.out * p.count * 4);
    CHECK(cudaMemset(y.data, 0, y.count));
    double fresh = time_us([&](int i) { p.run(y.data, x.data, w[i % COPIES].data); }, 8, 9);
    double onto = time_us([&](int i) { p.run(y.data, x.data, w[i % COPIES].data, N, 1); }, 8, 9);
    printf("%-26s %8.1f us %6.0f TFLOP/s   onto y %8.1f us   (%d of %d; tile %d stages %d cluster %d)  others:", name, fresh, p.flops() / fresh * 1e-6, onto,
           p.chosen, p.candidates, p.config(p.chosen, 1), p.config(p.chosen, 6), p.config(p.chosen, 8));
    for (int i = 0; i < std::min(p.candidates, 5); i++) {
        if (i != p.chosen && p.found[i].state == 0) {
            printf(" %.0f", time_us([&](int k) { p.run(y.data, x.data, w[k % COPIES].data, N, 0, i); }, 8, 5));
        }
    }
    printf("\n");
}

struct kernels {
    int64_t hidden = 4096, wide = 14336;
    device<float> x{N * 4096}, h{N * 4096}, gate{N * 14336}, up{N * 14336}, weight{4096};
    device<uint16_t> input{N * 14336};
    device<int> fault{std::vector<int>{0}};
    batch q, v;

    explicit kernels(random_numbers &r) : q(N, 4096, 4096, 1, 0, {8}, std::vector<int32_t>(N, 0), r), v(N, 4096, 1024, 1, 0, {8}, std::vector<int32_t>(N, 0), r) {
        for (device<float> *d : {&x, &h, &gate, &up, &weight}) {
            std::vector<float> some(d->count);
            for (size_t i = 0; i < some.size(); i++) {
                some[i] = (float)((int)(i * 2654435761u >> 9) % 2048 - 1024) / 512;
            }
            CHECK(cudaMemcpy(d->data, some.data(), some.size() * 4, cudaMemcpyHostToDevice));
        }
        for (batch *b : {&q, &v}) {
            b->weights.assign(N, 1);
            b->dweights = device<float>(b->weights);
        }
    }

    static int blocks(int64_t threads) {
        return (int)std::min<int64_t>(8192, (threads + 255) / 256);
    }
    void norm() {
        launch(convert_norm, dim3(N), 256, 0, (uint4 *)input.data, x.data, hidden, (const uint8_t *)weight.data, (int)T2L_F32, 1e-5f, 0.0f);
    }
    void round() {
        launch(convert_f32, dim3(blocks(N * hidden / 8)), 256, 0, (uint4 *)input.data, h.data, N * hidden);
    }
    void gated() {
        launch(convert_gated, dim3(blocks(N * wide / 8)), 256, 0, (uint4 *)gate.data, (const uint4 *)gate.data, (const uint4 *)up.data, N * wide, (int)T2L_SILU);
    }
    void low(batch &b) {
        launch(addend_low, dim3((N + ROWS - 1) / ROWS, (b.stride + RANKS - 1) / RANKS, b.per_row), THREADS, 0, (const uint2 *)input.data, (int64_t)N, b.in, fault.data, b.rows());
    }
    void addend(batch &b, float *y) {
        launch(addend_f32, dim3((b.out + 4 * THREADS - 1) / (4 * THREADS), (N + ROWS - 1) / ROWS), THREADS, 0, y, (int64_t)N, b.out, 0, (const void *)nullptr, (int)T2L_F32,
               fault.data, b.rows());
    }
};

int main(int count, char **arguments) {
    const bool checks = count < 2 || strcmp(arguments[1], "times") != 0;
    random_numbers r = {29};
    CHECK(cudaMalloc(&workspace, 32 << 20));
    printf("cublasLt %d\n", (int)lt().GetVersion());
    plan q(4096, 4096, 0), k(4096, 1024, 0), kv(4096, 1024, 0, 2), o(4096, 4096, 0), wide(4096, 14336, 14), down(14336, 4096, 0), small(256, 72, 0);
    struct { plan *p; const char *name; } all[] = {{&q, "q, o 4096-4096 f32"}, {&k, "k or v 4096-1024 f32"}, {&kv, "k and v 4096-1024 f32"},
                                                   {&wide, "gate 4096-14336"}, {&down, "down 14336-4096 f32"}};
    if (checks) {
        for (auto &a : all) {
            check(*a.p, a.name, r);
        }
        check(small, "256-72 f32", r);
    }
    printf("copy: %.0f GB/s\n", copy_bandwidth() * 1e-3);
    for (auto &a : all) {
        times(*a.p, a.name, r);
    }
    kernels s(r);
    struct { const char *name; std::function<void()> run; double bytes; } around[] = {
        {"norm", [&] { s.norm(); }, 6.0 * N * 4096},
        {"round", [&] { s.round(); }, 6.0 * N * 4096},
        {"gated", [&] { s.gated(); }, 6.0 * N * 14336},
        {"adapter: low of q", [&] { s.low(s.q); }, 2.0 * N * 4096},
        {"adapter: addend of q", [&] { s.addend(s.q, s.gate.data); }, 4.0 * N * 4096},
        {"adapter: addend of v", [&] { s.addend(s.v, s.gate.data); }, 4.0 * N * 1024}};
    for (auto &a : around) {
        /* what a layer leaves in the second cache is not there */
        auto clear = [&] { CHECK(cudaMemsetAsync(s.up.data, 0x3f, s.up.count * 4, stream)); };
        double flush = time_us([&](int) { clear(); }, 8, 9);
        double both = time_us([&](int) { clear(), a.run(); }, 8, 9);
        double warm = time_us([&](int) { a.run(); }, 8, 9);
        printf("%-26s %8.1f us after others (%5.0f GB/s), %8.1f us alone\n", a.name, both - flush, a.bytes / (both - flush) * 1e-3, warm);
    }
    /* Layers of Mistral-7B, without attention and rope, each with weights of its own. */
    enum { LAYERS = 4 };
    std::vector<device<uint16_t>> wq, wkv, wo, wgate, wup, wdown;
    for (int l = 0; l < LAYERS; l++) {
        wq.emplace_back(random_bf16(4096 * 4096, r, 1.0f / 64)), wkv.emplace_back(random_bf16(2 * 1024 * 4096, r, 1.0f / 64));
        wo.emplace_back(random_bf16(4096 * 4096, r, 1.0f / 64)), wgate.emplace_back(random_bf16(14336 * 4096, r, 1.0f / 64));
        wup.emplace_back(random_bf16(14336 * 4096, r, 1.0f / 64)), wdown.emplace_back(random_bf16(14336 * 4096, r, 1.0f / 64));
    }
    struct { const char *name; bool adapter, paired; } ways[] = {
        {"k and v apart", false, false}, {"k with v", false, true}, {"the same with adapters", true, true}};
    for (auto &way : ways) {
        double us = time_us([&](int i) {
            int l = i % LAYERS;
            float *y = s.gate.data, *y2 = y + N * 4096;
            s.norm();
            if (way.adapter) {
                s.low(s.q), s.addend(s.q, y);
                s.low(s.v), s.addend(s.v, y2), s.addend(s.v, y2 + N * 1024);
            }
            q.run(y, s.input.data, wq[l].data, N, way.adapter);
            if (way.paired) {
                kv.run(y2, s.input.data, wkv[l].data, N, way.adapter);
            } else {
                k.run(y2, s.input.data, wkv[l].data);
                k.run(y2 + N * 1024, s.input.data, wkv[l].data + 1024 * 4096);
            }
            s.round();
            o.run(s.x.data, s.input.data, wo[l].data, N, 1);
            s.norm();
            wide.run(s.gate.data, s.input.data, wgate[l].data);
            wide.run(s.up.data, s.input.data, wup[l].data);
            s.gated();
            down.run(s.x.data, s.gate.data, wdown[l].data, N, 1);
        }, 32, 7);
        double flops = q.flops() + kv.flops() + o.flops() + 2 * wide.flops() + down.flops();
        printf("32 layers, %-28s %7.2f ms, %4.0f TFLOP/s\n", way.name, us * 32e-3, flops / us * 1e-6);
    }
    return finish("prefill");
}
