/* Checks and times attentionhalf.cu and attentionhalfbackward.cu; see run.sh. Inputs are such that bf16 holds them; weights and their gradients are rounded. */
#include "../attentionhalf.cu"
#include "../attentionhalfbackward.cu"
#include "halfrows.h"

template <typename K> static void run(K *kernel, half_problem &p, int tile_rows, int shared) {
    const attention_shape &s = p.s;
    launch(kernel, dim3((unsigned)((p.rows.n() + tile_rows - 1) / tile_rows), s.kv_heads), THREADS, shared, s.heads, s.kv_heads, s.head_dim, s.window, s.scale, s.softcap,
           p.tensors());
}

template <int D> static int shared_bytes(int step) {
    return 2 * tile<D>::BYTES + 4 * step * tile<D>::PITCH;
}

static void forward(half_problem &p) {
    const int rows = ROWS / (p.s.heads / p.s.kv_heads);
    p.s.head_dim <= 64 ? run(attention_half_forward_64, p, rows, 4 * tile<64>::BYTES) : run(attention_half_forward_128, p, rows, 4 * tile<128>::BYTES);
}

static void dq(half_problem &p) {
    const int rows = ROWS / (p.s.heads / p.s.kv_heads);
    p.s.head_dim <= 64 ? run(attention_half_dq_64, p, rows, 4 * tile<64>::BYTES) : run(attention_half_dq_128, p, rows, 4 * tile<128>::BYTES);
}

static void dkv(half_problem &p) {
    p.s.head_dim <= 64 ? run(attention_half_dkv_64, p, ROWS, shared_bytes<64>(64)) : run(attention_half_dkv_128, p, ROWS, shared_bytes<128>(64));
}

static void check(attention_shape s, bool causal, std::vector<int> lengths, random_numbers &r) {
    half_problem p(s, sequences(causal, lengths), r);
    std::vector<double> eq, ek, ev;
    p.expected(eq, ek, ev);
    forward(p);
    dq(p);
    dkv(p);
    char what[120];
    snprintf(what, sizeof what, "attention on bf16: %d rows, heads %d of %d, dim %d, window %d, cap %g", (int)p.rows.n(), s.heads, s.kv_heads, s.head_dim, s.window, s.softcap);
    expect(what, p.hout.host(), std::vector<double>(p.out.begin(), p.out.end()), 4e-3);
    expect(what, p.hdq.host(), eq, 8e-3);
    expect(what, p.hdk.host(), ek, 8e-3);
    expect(what, p.hdv.host(), ev, 8e-3);
    expect_true("attention on bf16: no fault", p.fault.host()[0] == 0);
}

#ifndef T2L_EMULATE
/* Variants: query vectors at a time, blocks a multiprocessor. */
#define VARIANT(D, STEP, BLOCKS)                                                                                                                    \
    KERNEL __launch_bounds__(THREADS, BLOCKS)                                                                                                       \
        dkv_##D##_##STEP##_##BLOCKS(int heads, int kv_heads, int head_dim, int window, float scale, float softcap, attention_half t) {              \
        dkv_body<D, STEP>(t, {t.n, heads, kv_heads, head_dim, window, scale, softcap});                                                             \
    }

VARIANT(64, 32, 3)
VARIANT(64, 32, 4)
VARIANT(128, 32, 2)

static void times() {
    random_numbers r = {5};
    printf("\nattentionhalf.cu, causal: 4 and 10 head_dim flops a row, head and key\n%-16s %9s %6s %6s %5s %9s %8s\n", "kernel", "sequences", "rows", "heads", "dim", "us", "TFLOP/s");
    struct { int count, length, heads, kv_heads, dim; } cases[] = {{8, 512, 32, 8, 128}, {32, 128, 9, 3, 64}, {32, 88, 9, 3, 64}};
    for (auto &c : cases) {
        half_problem p({0, c.heads, c.kv_heads, c.dim, 0, 0.1f, 0}, sequences(true, std::vector<int>(c.count, c.length)), r);
        const double pairs = 1e-6 * c.dim * c.heads * c.count * c.length * (c.length + 1) / 2;
        auto line = [&](const char *name, double flops, std::function<void(int)> call) {
            const double us = time_us(call, 4);
            printf("%-16s %9d %6d %6d %5d %9.1f %8.2f\n", name, c.count, c.length, c.heads, c.dim, us, flops * pairs / us);
        };
        line("forward", 4, [&](int) { forward(p); });
        line("dq", 6, [&](int) { dq(p); });
        line("dkv", 8, [&](int) { dkv(p); });
        if (c.dim == 64) {
            line("dkv 32, 3", 8, [&](int) { run(dkv_64_32_3, p, ROWS, shared_bytes<64>(32)); });
            line("dkv 32, 4", 8, [&](int) { run(dkv_64_32_4, p, ROWS, shared_bytes<64>(32)); });
        } else {
            line("dkv 32, 2", 8, [&](int) { run(dkv_128_32_2, p, ROWS, shared_bytes<128>(32)); });
        }
        line("backward", 10, [&](int) { dq(p), dkv(p); });
    }
}
#endif

int main(int count, char **arguments) {
    random_numbers r = {11};
    check({0, 4, 2, 16, 0, 0.3f, 0}, true, {1, 19, 70}, r);
    check({0, 3, 1, 32, 7, 0.3f, 5}, true, {71, 5}, r);
    check({0, 2, 2, 80, 0, 0.2f, 0}, false, {40, 1, 33}, r);
    check({0, 2, 1, 128, 33, 0.1f, 0}, true, {90, 3}, r);
    check({0, 1, 1, 64, 0, 0.5f, 0}, true, {64, 40}, r);
    check({0, 8, 2, 128, 0, 0.1f, 0}, true, {150, 70}, r);
#ifndef T2L_EMULATE
    if (count < 2 || strcmp(arguments[1], "check") != 0) {
        times();
    }
#endif
    (void)count, (void)arguments;
    return finish("attentionhalf");
}
