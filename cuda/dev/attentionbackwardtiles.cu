/* Checks and times attentionbackwardtiles.cu; see run.sh. Inputs are such that bf16 holds them; probabilities and their gradients are rounded. */
#include "../attentionbackwardtiles.cu"
#include "attentionrows.h"

template <int D, typename K> static void run(problem &p, K *of_q, K *of_kv, const attention_tensors &t) {
    const attention_shape &s = p.s;
    int tile_rows = ROWS / (s.heads / s.kv_heads), n = (int)p.rows.n();
    launch(of_q, dim3((n + tile_rows - 1) / tile_rows, s.kv_heads), THREADS, halves<D>::SHARED, s.heads, s.kv_heads, s.head_dim, s.window, s.scale, s.softcap, t);
    launch(of_kv, dim3((n + ROWS - 1) / ROWS, s.kv_heads), THREADS, halves<D>::SHARED, s.heads, s.kv_heads, s.head_dim, s.window, s.scale, s.softcap, t);
}

static void run(problem &p, const attention_tensors &t) {
    if (p.s.head_dim <= 64) {
        run<64>(p, attention_half_dq_64, attention_half_dkv_64, t);
    } else {
        run<128>(p, attention_half_dq_128, attention_half_dkv_128, t);
    }
}

static void round_all(std::vector<float> &v) {
    for (float &f : v) {
        f = __bfloat162float(__float2bfloat16_rn(f));
    }
}

static void check(attention_shape s, bool causal, std::vector<int> lengths, random_numbers &r) {
    problem p(s, sequences(causal, lengths), r);
    round_all(p.q);
    round_all(p.k);
    round_all(p.v);
    round_all(p.dout);
    std::vector<double> eq, ek, ev;
    p.expected(eq, ek, ev);
    attention_tensors t = p.upload();
    run(p, t);
    char what[120];
    snprintf(what, sizeof what, "attention backward by tiles: %d rows, heads %d of %d, dim %d, window %d, cap %g", (int)p.rows.n(), s.heads, s.kv_heads, s.head_dim, s.window, s.softcap);
    expect(what, p.dq.host(), eq, 5e-3);
    expect(what, p.dk.host(), ek, 5e-3);
    expect(what, p.dv.host(), ev, 5e-3);
    expect_true("attention backward by tiles: no fault", p.fault.host()[0] == 0);
}

#ifndef T2L_EMULATE
static void times() {
    random_numbers r = {5};
    printf("\nattentionbackwardtiles.cu, causal: 10 head_dim flops a row, head and key\n%9s %6s %6s %5s %9s %8s\n", "sequences", "rows", "heads", "dim", "us", "TFLOP/s");
    struct { int count, length, heads, kv_heads, dim; } cases[] = {{8, 512, 32, 8, 128}, {32, 128, 9, 3, 64}};
    for (auto &c : cases) {
        problem p({0, c.heads, c.kv_heads, c.dim, 0, 0.1f, 0}, sequences(true, std::vector<int>(c.count, c.length)), r);
        attention_tensors t = p.upload();
        double us = time_us([&](int) { run(p, t); }, 4);
        printf("%9d %6d %6d %5d %9.1f %8.2f\n", c.count, c.length, c.heads, c.dim, us, 10e-6 * c.dim * c.heads * c.count * c.length * (c.length + 1) / 2 / us);
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
#ifndef T2L_EMULATE
    if (count < 2 || strcmp(arguments[1], "check") != 0) {
        times();
    }
#endif
    (void)count, (void)arguments;
    return finish("attentionbackwardtiles");
}
