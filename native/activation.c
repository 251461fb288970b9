/* out = f(x), out = f(gate) * up, x = cap tanh(x / cap), and each backwards. */
#include "functions.h"

enum { WORK_AN_ELEMENT = 8 }; /* in multiply-adds, for deciding whether to share */

INLINE vf silu(vf x) {
    return x / (splat(1) + exp_(zero() - x));
}

INLINE vf gelu(vf x) {
    return splat(0.5f) * x * one_plus_erf_scaled(x);
}

/* x/2 (1 + tanh u) = x / (1 + exp(-2u)) */
INLINE vf gelu_tanh(vf x) {
    vf u = splat(0.797884561f) * fma_(splat(0.044715f) * x * x, x, x);
    return x / (splat(1) + exp_(splat(-2) * u));
}

INLINE vf relu(vf x) {
    return max_(zero(), x);
}

typedef struct {
    float *out;
    const float *x, *up; /* up may be null */
    float cap;
    split split;
} activation_job;

/* The values that f takes to out, a vector at a time; the last one is padded with zeros. */
#define DEFINE_TASK(name, f)                                                             \
    static void name(const void *job, int64_t piece, void *scratch) {                    \
        (void)scratch;                                                                   \
        const activation_job *j = job;                                                   \
        int64_t i = first_item(&j->split, piece);                                        \
        int64_t to = last_item(&j->split, piece);                                        \
        for (; i + LANES <= to; i += LANES) {                                            \
            vf x = load(j->x + i);                                                       \
            vf v = f;                                                                    \
            if (j->up != NULL) {                                                         \
                v = v * load(j->up + i);                                                 \
            }                                                                            \
            store(j->out + i, v);                                                        \
        }                                                                                \
        if (i < to) {                                                                    \
            vf x = load_part(j->x + i, to - i);                                          \
            vf v = f;                                                                    \
            if (j->up != NULL) {                                                         \
                v = v * load_part(j->up + i, to - i);                                    \
            }                                                                            \
            store_part(j->out + i, v, to - i);                                           \
        }                                                                                \
    }

DEFINE_TASK(silu_task, silu(x))
DEFINE_TASK(gelu_task, gelu(x))
DEFINE_TASK(gelu_tanh_task, gelu_tanh(x))
DEFINE_TASK(relu_task, relu(x))
DEFINE_TASK(softcap_task, splat(j->cap) * tanh_(x / splat(j->cap)))

static int32_t run(const t2l_engine *e, t2l_task *task, activation_job job, int64_t n) {
    if (n < 0) {
        return T2L_BAD_SIZE;
    }
    job.split = split_items(e, n, LANES, n * WORK_AN_ELEMENT);
    run_split(e, &job.split, task, &job);
    return T2L_OK;
}

int32_t T2L_KERNEL(gated)(const t2l_engine *e, float *out, const float *gate, const float *up, int64_t n, int32_t f) {
    static t2l_task *const TASKS[] = {silu_task, gelu_task, gelu_tanh_task, relu_task};
    if (f < T2L_SILU || f > T2L_RELU) {
        return T2L_BAD_TYPE;
    }
    return run(e, TASKS[f], (activation_job){.out = out, .x = gate, .up = up}, n);
}

int32_t T2L_KERNEL(activation)(const t2l_engine *e, float *out, const float *x, int64_t n, int32_t f) {
    return T2L_KERNEL(gated)(e, out, x, NULL, n, f);
}

int32_t T2L_KERNEL(softcap)(const t2l_engine *e, float *x, int64_t n, float cap) {
    return run(e, softcap_task, (activation_job){.out = x, .x = x, .cap = cap}, n);
}

INLINE vf logistic(vf x) {
    return splat(1) / (splat(1) + exp_(zero() - x));
}

/* s (1 + x (1 - s)), s = 1 / (1 + exp(-x)) */
INLINE vf silu_slope(vf x) {
    vf s = logistic(x);
    return s * fma_(x, splat(1) - s, splat(1));
}

/* (1 + erf(x / sqrt 2)) / 2 + x exp(-x^2 / 2) / sqrt(2 pi) */
INLINE vf gelu_slope(vf x) {
    vf density = splat(0.398942280f) * exp_(splat(-0.5f) * x * x);
    return fma_(splat(0.5f), one_plus_erf_scaled(x), x * density);
}

/* s (1 + 2 x (1 - s) u'), s = 1 / (1 + exp(-2u)) */
INLINE vf gelu_tanh_slope(vf x) {
    vf square = x * x;
    vf s = logistic(splat(2 * 0.797884561f) * fma_(splat(0.044715f) * square, x, x));
    vf inner = splat(0.797884561f) * fma_(splat(3 * 0.044715f), square, splat(1));
    return s * fma_(splat(2) * x * (splat(1) - s), inner, splat(1));
}

INLINE vf relu_slope(vf x) {
    return choose(x > zero(), splat(1), zero());
}

typedef struct {
    float *dx, *dup;
    const float *dy, *x, *up; /* dup and up may be null */
    float cap;
    split split;
} backward_job;

#define DEFINE_BACKWARD_TASK(f)                                                          \
    static void f##_backward_task(const void *job, int64_t piece, void *scratch) {       \
        (void)scratch;                                                                   \
        const backward_job *j = job;                                                     \
        int64_t to = last_item(&j->split, piece);                                        \
        for (int64_t i = first_item(&j->split, piece); i < to; i += LANES) {             \
            vf x = load_some(j->x + i, to - i);                                          \
            vf dy = load_some(j->dy + i, to - i);                                        \
            vf slope = f##_slope(x);                                                     \
            if (j->up != NULL) {                                                         \
                slope = slope * load_some(j->up + i, to - i);                            \
                store_some(j->dup + i, dy * f(x), to - i);                               \
            }                                                                            \
            store_some(j->dx + i, dy * slope, to - i);                                   \
        }                                                                                \
    }

DEFINE_BACKWARD_TASK(silu)
DEFINE_BACKWARD_TASK(gelu)
DEFINE_BACKWARD_TASK(gelu_tanh)
DEFINE_BACKWARD_TASK(relu)

/* x is the forward's result */
static void softcap_backward_task(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const backward_job *j = job;
    int64_t to = last_item(&j->split, piece);
    for (int64_t i = first_item(&j->split, piece); i < to; i += LANES) {
        vf t = load_some(j->x + i, to - i) / splat(j->cap);
        store_some(j->dx + i, load_some(j->dy + i, to - i) * (splat(1) - t * t), to - i);
    }
}

static int32_t run_backward(const t2l_engine *e, t2l_task *task, backward_job job, int64_t n) {
    if (n < 0) {
        return T2L_BAD_SIZE;
    }
    job.split = split_items(e, n, LANES, n * WORK_AN_ELEMENT);
    run_split(e, &job.split, task, &job);
    return T2L_OK;
}

int32_t T2L_KERNEL(gated_backward)(const t2l_engine *e, float *dgate, float *dup, const float *dy, const float *gate, const float *up,
                                   int64_t n, int32_t f) {
    static t2l_task *const TASKS[] = {silu_backward_task, gelu_backward_task, gelu_tanh_backward_task, relu_backward_task};
    if (f < T2L_SILU || f > T2L_RELU) {
        return T2L_BAD_TYPE;
    }
    return run_backward(e, TASKS[f], (backward_job){.dx = dgate, .dup = dup, .dy = dy, .x = gate, .up = up}, n);
}

int32_t T2L_KERNEL(activation_backward)(const t2l_engine *e, float *dx, const float *dy, const float *x, int64_t n, int32_t f) {
    return T2L_KERNEL(gated_backward)(e, dx, NULL, dy, x, NULL, n, f);
}

int32_t T2L_KERNEL(softcap_backward)(const t2l_engine *e, float *dy, const float *y, int64_t n, float cap) {
    return run_backward(e, softcap_backward_task, (backward_job){.dx = dy, .dy = dy, .x = y, .cap = cap}, n);
}
