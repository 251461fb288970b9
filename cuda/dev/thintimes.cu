/*
 * Times of thin.cu: products of a 7B model and of a small one, and chains of a token's launches; see run.sh. `thintimes quick` leaves out
 * most. Weights rotate through a pool far larger than the second cache.
 */
#include "thin.h"
#include "../lora.cu"

#define MANY_WARPS(name, TYPE, NT)                                                                                                  \
    extern "C" __global__ void __launch_bounds__(17 * WARP, 1) thin_##name##_16w_##NT(const __grid_constant__ thin_launch a) {       \
        thin_body<TYPE, 1, NT, 16>(a);                                                                                              \
    }
MANY_WARPS(bf16, T2L_BF16, 1)
MANY_WARPS(q8_0, T2L_Q8_0, 1)
MANY_WARPS(q4_k, T2L_Q4_K, 1)
MANY_WARPS(q4_k, T2L_Q4_K, 2)
MANY_WARPS(q6_k, T2L_Q6_K, 1)

static const thin_variant SIXTEEN[] = {
    VARIANT(thin_bf16_16w_1, T2L_BF16, 1, 1, 16), VARIANT(thin_q8_0_16w_1, T2L_Q8_0, 1, 1, 16), VARIANT(thin_q4_k_16w_1, T2L_Q4_K, 1, 1, 16),
    VARIANT(thin_q4_k_16w_2, T2L_Q4_K, 1, 2, 16), VARIANT(thin_q6_k_16w_1, T2L_Q6_K, 1, 1, 16),
};

enum { SMS = 132 };
static const size_t POOL = 1200u << 20;
static double copy_rate;

struct pool {
    device<uint8_t> memory;
    size_t at = 0;
    explicit pool(int type) : memory(POOL) {
        random_numbers r = {11};
        weights pattern(type, 64, 4096, r, false);
        size_t have = pattern.bytes.size();
        CHECK(cudaMemcpy(memory.data, pattern.bytes.data(), have, cudaMemcpyHostToDevice));
        while (have < POOL) {
            size_t more = std::min(have, POOL - have);
            CHECK(cudaMemcpy(memory.data + have, memory.data, more, cudaMemcpyDeviceToDevice));
            have += more;
        }
    }
    const uint8_t *next(size_t bytes) {
        if (at + bytes > POOL) {
            at = 0;
        }
        const uint8_t *p = memory.data + at;
        at += (bytes + 255) / 256 * 256;
        return p;
    }
};

static int64_t row_bytes_of(int type, int64_t in) {
    static const int SIZE[] = {1, 1, 1, 32, 32, 32, 256, 256}, BYTES[] = {4, 2, 2, 18, 20, 34, 144, 210};
    return in / SIZE[type] * BYTES[type];
}

static const thin_variant &variant(int type, int tiles, int nt) {
    for (const thin_variant &k : ALL) {
        if (k.type == type && k.tiles == tiles && k.nt == nt) {
            return k;
        }
    }
    return ALL[0];
}

struct config {
    const char *name;
    uint32_t limit;
    int blocks;
};
/* "own": the kernel and shape that the product would choose. */
static const config CONFIGS[] = {{"half", SHARED_HALF, SMS}, {"twice", SHARED_HALF, 2 * SMS}, {"full", SHARED_MOST, SMS}, {"own", 0, SMS}};

struct activations {
    device<float> x, y, more;
    device<uint16_t> norm;
    activations() : more(8 * 49152) {
        random_numbers r = {3};
        x = device<float>(normals(8 * 14336, r));
        y = device<float>((size_t)8 * 49152);
        std::vector<uint16_t> n(14336, 0x3f80);
        norm = device<uint16_t>(n);
    }
};

static double time_product(const thin_variant &given, const config &c, int n, int out, int in, bool normed, bool paired, bool early, pool &w, activations &v) {
    const int type = given.type;
    const size_t bytes = (size_t)out * row_bytes_of(type, in);
    const int inner = (int)std::min<size_t>(48, std::max<size_t>(6, (300u << 20) / bytes));
    thin_launch a = {};
    a.x = v.x.data;
    a.rows = n;
    a.in = in;
    a.row_bytes = row_bytes_of(type, in);
    a.norm = normed ? v.norm.data : nullptr;
    a.norm_type = T2L_BF16;
    a.norm_numbers = norm_numbers(1e-5f, 0);
    a.paired = paired;
    a.activation = paired ? T2L_SILU : -1;
    a.count = paired ? 2 : 1;
    a.products[0].out = a.products[1].out = paired ? out / 2 : out;
    thin_shape s = {0, 0, 0};
    const thin_variant &k = c.limit == 0 ? choose(type, a, c.blocks, s) : given;
    if (c.limit > 0) {
        s = shape_of(k, n, in, c.limit, 3);
    }
    if (s.panel == 0 || n > 4 * k.nt) {
        return 0;
    }
    return time_us([&](int) {
        const uint8_t *at = w.next(bytes);
        a.products[0] = {at, v.y.data, nullptr, 0, paired ? out / 2 : out, 0, lora_rows()};
        if (paired) {
            a.products[1] = {at + bytes / 2, v.y.data, nullptr, 0, out / 2, 0, lora_rows()};
        }
        run_thin(k, a, s, n, c.blocks, early);
    }, inner, 7);
}

struct product_shape {
    const char *name;
    int out, in;
    bool normed, paired;
};
static const product_shape MISTRAL[] = {{"qkv", 6144, 4096, true, false}, {"o", 4096, 4096, false, false}, {"gateup", 28672, 4096, true, true},
                                        {"down", 4096, 14336, false, false}, {"head", 32000, 4096, false, false}};
static const product_shape SMOL[] = {{"s.qkv", 960, 576, true, false}, {"s.o", 576, 576, false, false}, {"s.gateup", 3072, 576, true, true},
                                     {"s.down", 576, 1536, false, false}, {"s.head", 49152, 576, false, false}};

static void row_of_times(int type, const product_shape &p, int n, pool &w, activations &v, bool all) {
    const double bytes = (double)p.out * row_bytes_of(type, p.in);
    printf("%-5s %-8s n=%d |", TYPE_NAMES[type], p.name, n);
    auto show = [&](const char *name, double us) {
        if (us > 0) {
            printf(" %s %.1f us %.2f %2.0f%% |", name, us, bytes / us * 1e-6, 100 * bytes / us / copy_rate);
        }
    };
    for (int kind = 0; kind < 3; kind++) {
        const int tiles = kind == 2 ? 2 : 1, nt = kind == 0 ? 1 : 2;
        if ((kind == 0) != (n <= 4) && !(kind > 0 && n == 4 && all)) {
            continue;
        }
        for (const config &c : CONFIGS) {
            if (c.limit > 0 && (all || c.limit == SHARED_MOST || (n <= 4 && c.blocks == SMS))) {
                char name[40];
                snprintf(name, sizeof name, "%s%s", kind == 0 ? "" : kind == 1 ? "8:" : "w:", c.name);
                show(name, time_product(variant(type, tiles, nt), c, n, p.out, p.in, p.normed, p.paired, false, w, v));
                if (c.limit == SHARED_HALF && c.blocks == SMS && n == 1) {
                    show("half+pdl", time_product(variant(type, tiles, nt), c, n, p.out, p.in, p.normed, p.paired, true, w, v));
                }
            }
        }
    }
    show("own", time_product(variant(type, 1, 1), CONFIGS[3], n, p.out, p.in, p.normed, p.paired, false, w, v));
    if (all) {
        for (const thin_variant &k : SIXTEEN) {
            if (k.type == type && n <= 4 * k.nt && (n > 4) == (k.nt > 1)) {
                show("16w", time_product(k, CONFIGS[2], n, p.out, p.in, p.normed, p.paired, false, w, v));
            }
        }
    }
    printf("\n");
}

/* Stands for rope and attention: something small between the products. */
__global__ void between(float *y, const float *x, int n, int early) {
    if (early) {
        grid_trigger();
        grid_wait();
    }
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        y[i] = x[i] * 0.5f;
    }
}

struct chain {
    enum { LAYERS = 32, H = 4096, I = 14336, KV = 1024, RANK = 8 };
    int type, n;
    pool &w;
    activations &v;
    device<float> x, q, k, vv, attended, h, a, b, low, factor_weights;
    device<int32_t> slots;
    device<lora_factor> table;
    std::vector<float> start;

    chain(int type, int n, pool &w, activations &v) : type(type), n(n), w(w), v(v), q(n * H), k(n * KV), vv(n * KV), attended(n * H), h(n * I), low(2 * n * RANK) {
        random_numbers r = {5};
        start = normals(n * H, r);
        x = device<float>(start);
        a = device<float>(normals(8 * RANK * H, r));
        b = device<float>(normals(8 * RANK * H, r));
        std::vector<lora_factor> f;
        std::vector<int32_t> s;
        for (int i = 0; i < 8; i++) {
            f.push_back({a.data + i * RANK * H, b.data + i * RANK * H, RANK, 0.01f});
        }
        for (int i = 0; i < n; i++) {
            s.push_back(i);
        }
        table = device<lora_factor>(f);
        slots = device<int32_t>(s);
        factor_weights = device<float>(std::vector<float>(n, 1.0f));
    }

    void product(const config &c, thin_launch l, bool early) {
        thin_shape s;
        if (c.limit == 0) {
            const thin_variant &chosen = choose(type, l, c.blocks, s);
            run_thin(chosen, l, s, n, c.blocks, early);
            return;
        }
        const thin_variant &kernel = variant(type, 1, n > 4 ? 2 : 1);
        s = shape_of(kernel, n, (int)l.in, c.limit, 3);
        if (s.panel < l.in) {
            s = shape_of(kernel, n, (int)l.in, SHARED_MOST, 2);
        }
        run_thin(kernel, l, s, n, c.blocks, early);
    }

    thin_launch input(const float *from, int in, bool normed) {
        thin_launch l = {};
        l.x = from;
        l.rows = n;
        l.in = in;
        l.row_bytes = row_bytes_of(type, in);
        l.norm = normed ? v.norm.data : nullptr;
        l.norm_type = T2L_BF16;
        l.norm_numbers = norm_numbers(1e-5f, 0);
        l.activation = -1;
        return l;
    }

    void add(thin_launch &l, float *y, int out, lora_rows lora = lora_rows()) {
        l.products[l.count++] = {w.next((size_t)out * l.row_bytes), y, nullptr, 0, out, 0, lora};
        l.tiles += (out + 15) / 16;
    }

    void layer(const config &c, bool early, bool lora, int stub) {
        lora_rows rows = {table.data, 8, slots.data, factor_weights.data, 1, 0, low.data, RANK}, rows_v = rows;
        rows_v.low = low.data + n * RANK;
        thin_launch l = input(x.data, H, true);
        add(l, q.data, H, lora ? rows : lora_rows());
        add(l, k.data, KV);
        add(l, vv.data, KV, lora ? rows_v : lora_rows());
        if (lora) {
            low_launch m = {x.data, H, l.norm, l.norm_type, l.norm_numbers, nullptr, 2, {rows, rows_v}};
            launch_early(early, lora_low_thin, dim3(RANK, n, 2), 256, 0, m);
            l.behind_low = early;
        }
        product(c, l, early);
        if (stub > 0) {
            launch_early(early && stub > 1, between, dim3((n * H + 255) / 256), 256, 0, k.data, vv.data, n * KV, early && stub > 1);
            launch_early(early && stub > 1, between, dim3((n * H + 255) / 256), 256, 0, attended.data, q.data, n * H, early && stub > 1);
        }
        l = input(stub > 0 ? attended.data : q.data, H, false);
        add(l, x.data, H);
        l.residual = x.data;
        product(c, l, early);
        l = input(x.data, H, true);
        l.paired = 1;
        l.activation = T2L_SILU;
        add(l, h.data, I);
        add(l, h.data, I);
        product(c, l, early);
        l = input(h.data, I, false);
        add(l, x.data, H);
        l.residual = x.data;
        product(c, l, early);
    }

    /* Microseconds a token of LAYERS layers and the head; x's bits after one in `bits`. */
    double token(const config &c, bool early, bool lora, int stub, std::vector<float> &bits) {
        CHECK(cudaMemcpy(x.data, start.data(), start.size() * 4, cudaMemcpyHostToDevice));
        CHECK(cudaMemset(low.data, 0xff, low.count * 4));
        auto all = [&] {
            w.at = 0;
            for (int i = 0; i < LAYERS; i++) {
                layer(c, early, lora, stub);
            }
            thin_launch l = input(x.data, H, false);
            add(l, v.y.data, 32000);
            product(c, l, early);
        };
        all();
        CHECK(cudaStreamSynchronize(stream));
        bits = x.host();
        return time_us([&](int) { all(); }, 1, 9);
    }
};

static void chains(int type, int n, pool &w, activations &v) {
    chain k(type, n, w, v);
    std::vector<float> first, bits;
    for (const config &c : CONFIGS) {
        for (int lora = 0; lora < 2; lora++) {
            printf("%-5s n=%d %-5s %s |", TYPE_NAMES[type], n, c.name, lora ? "r8 q,v" : "plain ");
            first.clear(); /* another configuration, or with adapters and without: not to be compared */
            for (int stub = 0; stub < 3; stub++) {
                for (int early = 0; early < 2; early++) {
                    if (stub == 2 && !early) {
                        continue;
                    }
                    double us = k.token(c, early, lora, stub, bits);
                    printf(" %s%s %.0f us %.0f tok/s |", stub == 0 ? "" : stub == 1 ? "stubs " : "early stubs ", early ? "pdl" : "no pdl", us, n * 1e6 / us);
                    if (stub > 0 && early == 0) {
                        first.clear();
                    }
                    expect_true("a chain has other bits", first.empty() || memcmp(first.data(), bits.data(), bits.size() * 4) == 0);
                    if (first.empty()) {
                        first = bits;
                    }
                }
            }
            printf("\n");
        }
    }
}

int main(int count, char **arguments) {
    const bool quick = count > 1 && strcmp(arguments[1], "quick") == 0;
    copy_rate = copy_bandwidth();
    printf("copy %.2f TB/s (read and written). Rows: type, product, rows of x | configuration, us, TB/s, share of the copy\n", copy_rate * 1e-6);
    activations v;
    for (int type : {T2L_BF16, T2L_Q8_0, T2L_Q4_K, T2L_Q6_K, T2L_F16, T2L_Q4_0, T2L_Q4_1}) {
        pool w(type);
        const bool all = type == T2L_BF16 || type == T2L_Q8_0 || type == T2L_Q4_K || type == T2L_Q6_K;
        if (all) {
            for (int n : {1, 8}) {
                if (type != T2L_Q6_K) {
                    chains(type, n, w, v);
                }
            }
        }
        for (const product_shape &p : MISTRAL) {
            for (int n : {1, 2, 4, 8}) {
                if (!(n == 2 || n == 4) || (all && !quick && p.out != 32000)) {
                    row_of_times(type, p, n, w, v, all && !quick);
                }
            }
        }
        if (type == T2L_BF16 || type == T2L_Q8_0 || type == T2L_Q4_1) {
            for (const product_shape &p : SMOL) {
                row_of_times(type, p, 1, w, v, false);
            }
        }
        fflush(stdout);
    }
    return finish("thintimes");
}
