/*
 * The CPU kernels: the only list of them, and the library's whole interface.
 *
 * Every kernel is compiled once per instruction set; an engine binds one set to one thread pool. Matrices are dense, row-major
 * and may be unaligned; sizes are in elements unless they say bytes. Kernels return 0, or an error code; they check sizes and
 * indices, nothing else: shapes are the caller's business.
 *
 * Bits: the same call gives the same bits, whatever the number of threads; a row's result depends on its own inputs alone. So
 * every sum over k runs in one order, fixed by k: lane j of one vector accumulator takes the elements k = j (mod lanes).
 */
#ifndef T2L_H
#define T2L_H

#include <stdint.h>

enum t2l_error {
    T2L_OK = 0,
    T2L_BAD_SIZE = 1,   /* a negative size, or one beyond a kernel's limit */
    T2L_BAD_INDEX = 2,  /* an id, slot or range outside its table */
    T2L_BAD_TYPE = 3,   /* an unknown type or function number */
    T2L_NO_MEMORY = 4,
};

/* Number formats of weights; a row is a whole number of blocks. */
enum t2l_type { T2L_F32, T2L_F16, T2L_BF16, T2L_Q4_0, T2L_Q4_1, T2L_Q8_0, T2L_Q4_K, T2L_Q6_K, T2L_TYPES };

/* In the order of dev.t2l.backend.Activation. */
enum t2l_activation { T2L_SILU, T2L_GELU, T2L_GELU_TANH, T2L_RELU };

/* In the order of dev.t2l.backend.Isa. */
enum t2l_isa { T2L_BASELINE, T2L_AVX2, T2L_AVX512, T2L_ISAS };

enum { T2L_MAX_HEAD_DIM = 1024, T2L_MAX_RANK = 4096 };

/* One adapter of a batch at one projection: a [rank, in], b [out, rank]. */
typedef struct {
    const float *a;
    const float *b;
    int32_t rank;
    float scale;
} t2l_adapter;

typedef struct t2l_engine t2l_engine;

/* K(name, parameters, arguments); what each computes is said by the method of the same name of dev.t2l.backend.Backend ... */
#define T2L_FORWARD_KERNELS(K)                                                                                                        \
    /* out [n, out_cols] from column on, table [rows, d] of type, ids [n] */                                                  \
    K(gather,                                                                                                                 \
      (const t2l_engine *e, float *out, int64_t out_cols, int64_t column, const void *table, int32_t type, int64_t rows,      \
       int64_t d, const int32_t *ids, int64_t n, float scale),                                                                \
      (e, out, out_cols, column, table, type, rows, d, ids, n, scale))                                                        \
    /* out [rows, d], x [n, d], index [n] */                                                                                  \
    K(scatter, (const t2l_engine *e, float *out, int64_t rows, const float *x, const int32_t *index, int64_t n, int64_t d),   \
      (e, out, rows, x, index, n, d))                                                                                         \
    /* out [segments, d], x [n, d], ranges [segments, 2] */                                                                   \
    K(mean_rows,                                                                                                              \
      (const t2l_engine *e, float *out, const float *x, int64_t n, int64_t d, const int32_t *ranges, int64_t segments),       \
      (e, out, x, n, d, ranges, segments))                                                                                    \
    K(add, (const t2l_engine *e, float *y, const float *x, int64_t n, float alpha), (e, y, x, n, alpha))                      \
    K(activation, (const t2l_engine *e, float *out, const float *x, int64_t n, int32_t f), (e, out, x, n, f))                 \
    K(gated, (const t2l_engine *e, float *out, const float *gate, const float *up, int64_t n, int32_t f),                     \
      (e, out, gate, up, n, f))                                                                                               \
    K(softcap, (const t2l_engine *e, float *x, int64_t n, float cap), (e, x, n, cap))                                         \
    /* x, out [n, d]; weight [d] of type */                                                                                   \
    K(rms_norm,                                                                                                               \
      (const t2l_engine *e, float *out, const float *x, int64_t n, int64_t d, const void *weight, int32_t type, float eps,    \
       float offset),                                                                                                         \
      (e, out, x, n, d, weight, type, eps, offset))                                                                           \
    K(layer_norm,                                                                                                             \
      (const t2l_engine *e, float *out, const float *x, int64_t n, int64_t d, const void *weight, int32_t type,               \
       const void *bias, int32_t bias_type, float eps),                                                                       \
      (e, out, x, n, d, weight, type, bias, bias_type, eps))                                                                  \
    K(l2_normalise, (const t2l_engine *e, float *x, int64_t n, int64_t d, float scale), (e, x, n, d, scale))                  \
    /* y [n, out] with rows y_stride apart, x [n, in], w [out, in] of type, bias [out] of bias_type or null */                \
    K(linear,                                                                                                                 \
      (const t2l_engine *e, float *y, int64_t y_stride, const float *x, int64_t n, int64_t in, const void *w, int32_t type,   \
       int64_t out, const void *bias, int32_t bias_type),                                                                     \
      (e, y, y_stride, x, n, in, w, type, out, bias, bias_type))                                                              \
    /* y [n, out], x [n, in], slots and weights [n, per_row]; head_dim as in dev.t2l.backend.LoraRows */                      \
    K(lora,                                                                                                                   \
      (const t2l_engine *e, float *y, const float *x, int64_t n, int64_t in, int64_t out, const t2l_adapter *factors,     \
       int64_t n_factors, const int32_t *slots, const float *weights, int64_t per_row, int64_t head_dim),                     \
      (e, y, x, n, in, out, factors, n_factors, slots, weights, per_row, head_dim))                                           \
    /* weights, slots and given [n, per_row], x [n, in], prototypes [count] of [in], choices [n, 2] */                        \
    K(route,                                                                                                                  \
      (const t2l_engine *e, float *weights, const float *x, int64_t n, int64_t in, const float *const *prototypes,            \
       int64_t count, const int32_t *slots, const float *given, const float *choices, int64_t per_row),                       \
      (e, weights, x, n, in, prototypes, count, slots, given, choices, per_row))                                              \
    /* out [layers, rank, features], or [layers, features, rank] if transposed; scale and shift of out's shape or null */     \
    K(lora_factor,                                                                                                            \
      (const t2l_engine *e, float *out, int64_t layers, int64_t rank, int64_t features, const float *y,                       \
       int64_t layer_stride, int64_t rank_stride, int32_t transposed, const float *scale, const float *shift),                \
      (e, out, layers, rank, features, y, layer_stride, rank_stride, transposed, scale, shift))                               \
    /* out [n, 2h], positions [n], inv_freq [h] */                                                                            \
    K(rope_angles,                                                                                                            \
      (const t2l_engine *e, float *out, const int32_t *positions, int64_t n, const float *inv_freq, int64_t h, float factor), \
      (e, out, positions, n, inv_freq, h, factor))                                                                            \
    /* x [n, heads, 2h], angles [n, 2h] */                                                                                    \
    K(rope, (const t2l_engine *e, float *x, int64_t n, int64_t heads, int64_t h, const float *angles, int32_t interleaved),   \
      (e, x, n, heads, h, angles, interleaved))                                                                               \
    /* out, q [n, heads * head_dim], k, v [kv_rows, kv_heads * head_dim], ranges [n, 2] */                                    \
    K(attention,                                                                                                              \
      (const t2l_engine *e, float *out, const float *q, int64_t n, const float *k, const float *v, int64_t kv_rows,           \
       const int32_t *ranges, int64_t heads, int64_t kv_heads, int64_t head_dim, int64_t window, float scale,                 \
       float softcap),                                                                                                        \
      (e, out, q, n, k, v, kv_rows, ranges, heads, kv_heads, head_dim, window, scale, softcap))

/* ... or of dev.t2l.backend.Gradients. */
#define T2L_TRAINING_KERNELS(K)                                                                                               \
    /* dx [n, in], dy [n, out], w [out, in] of type */                                                                        \
    K(linear_backward,                                                                                                        \
      (const t2l_engine *e, float *dx, const float *dy, int64_t dy_stride, int64_t n, const void *w, int32_t type,            \
       int64_t out, int64_t in, int32_t add),                                                                                 \
      (e, dx, dy, dy_stride, n, w, type, out, in, add))                                                                       \
    /* dw [out, in], dbias [out] or null, dy [n, out], x [n, in] */                                                           \
    K(linear_gradient,                                                                                                        \
      (const t2l_engine *e, float *dw, float *dbias, const float *dy, const float *x, int64_t n, int64_t out, int64_t in),    \
      (e, dw, dbias, dy, x, n, out, in))                                                                                      \
    /* dx, x [n, in], dy [n, out], factors and then gradients of each of count spans [count, 2] of rows */                    \
    K(lora_backward,                                                                                                          \
      (const t2l_engine *e, float *dx, const float *dy, const float *x, int64_t n, int64_t in, int64_t out,                   \
       const t2l_adapter *factors, const int32_t *spans, int64_t count, int64_t head_dim),                                    \
      (e, dx, dy, x, n, in, out, factors, spans, count, head_dim))                                                            \
    /* as lora_factor, dy for y and dout for out */                                                                           \
    K(lora_factor_backward,                                                                                                   \
      (const t2l_engine *e, float *dy, const float *dout, int64_t layers, int64_t rank, int64_t features,                     \
       int64_t layer_stride, int64_t rank_stride, int32_t transposed, const float *scale),                                    \
      (e, dy, dout, layers, rank, features, layer_stride, rank_stride, transposed, scale))                                    \
    K(activation_backward, (const t2l_engine *e, float *dx, const float *dy, const float *x, int64_t n, int32_t f),           \
      (e, dx, dy, x, n, f))                                                                                                   \
    K(gated_backward,                                                                                                         \
      (const t2l_engine *e, float *dgate, float *dup, const float *dy, const float *gate, const float *up, int64_t n,         \
       int32_t f),                                                                                                            \
      (e, dgate, dup, dy, gate, up, n, f))                                                                                    \
    K(softcap_backward, (const t2l_engine *e, float *dy, const float *y, int64_t n, float cap), (e, dy, y, n, cap))           \
    K(fill, (const t2l_engine *e, float *x, int64_t n, float value), (e, x, n, value))                                        \
    /* plain types */                                                                                                         \
    K(convert, (const t2l_engine *e, void *out, int32_t out_type, const void *x, int32_t type, int64_t n),                    \
      (e, out, out_type, x, type, n))                                                                                         \
    K(dropout,                                                                                                                \
      (const t2l_engine *e, float *out, const float *x, int64_t n, int32_t threshold, float factor, int64_t seed),            \
      (e, out, x, n, threshold, factor, seed))                                                                                \
    /* x [n, d], magnitude [n] */                                                                                             \
    K(add_noise, (const t2l_engine *e, float *x, int64_t n, int64_t d, const float *magnitude, int64_t seed),                 \
      (e, x, n, d, magnitude, seed))                                                                                          \
    /* dtable [rows, d], dy [n, dy_cols] from column on, ids [n] */                                                           \
    K(scatter_add,                                                                                                            \
      (const t2l_engine *e, float *dtable, int64_t rows, int64_t d, const float *dy, int64_t dy_cols, int64_t column,         \
       const int32_t *ids, int64_t n, float scale),                                                                           \
      (e, dtable, rows, d, dy, dy_cols, column, ids, n, scale))                                                               \
    /* dx, dy, x [n, d]; weight [d] of type */                                                                                \
    K(rms_norm_backward,                                                                                                      \
      (const t2l_engine *e, float *dx, const float *dy, const float *x, int64_t n, int64_t d, const void *weight,             \
       int32_t type, float eps, float offset, int32_t add),                                                                   \
      (e, dx, dy, x, n, d, weight, type, eps, offset, add))                                                                   \
    /* dweight and dbias [d], or both null */                                                                                 \
    K(layer_norm_backward,                                                                                                    \
      (const t2l_engine *e, float *dx, float *dweight, float *dbias, const float *dy, const float *x, int64_t n, int64_t d,   \
       const void *weight, int32_t type, float eps, int32_t add),                                                             \
      (e, dx, dweight, dbias, dy, x, n, d, weight, type, eps, add))                                                           \
    /* dq, dout, out, q [n, heads * head_dim], dk, dv, k, v [n, kv_heads * head_dim], ranges and seen [n, 2] */               \
    K(attention_backward,                                                                                                     \
      (const t2l_engine *e, float *dq, float *dk, float *dv, const float *dout, const float *out, const float *q,             \
       const float *k, const float *v, int64_t n, const int32_t *ranges, const int32_t *seen, int64_t heads,                  \
       int64_t kv_heads, int64_t head_dim, int64_t window, float scale, float softcap),                                       \
      (e, dq, dk, dv, dout, out, q, k, v, n, ranges, seen, heads, kv_heads, head_dim, window, scale, softcap))                \
    /* loss, labels, weight [n], logits [n, vocabulary] */                                                                    \
    K(cross_entropy,                                                                                                          \
      (const t2l_engine *e, float *loss, float *logits, int64_t n, int64_t vocabulary, const int32_t *labels,                 \
       const float *weight, float smoothing),                                                                                 \
      (e, loss, logits, n, vocabulary, labels, weight, smoothing))                                                            \
    K(distance,                                                                                                               \
      (const t2l_engine *e, float *loss, float *dx, const float *x, const float *target, int64_t n, float weight,             \
       int32_t squared),                                                                                                      \
      (e, loss, dx, x, target, n, weight, squared))                                                                           \
    /* out [1] */                                                                                                             \
    K(sum_squares, (const t2l_engine *e, float *out, const float *x, int64_t n), (e, out, x, n))                              \
    K(adam_w,                                                                                                                 \
      (const t2l_engine *e, float *w, const float *g, float *m, float *v, int64_t n, float rate, float beta1, float beta2,    \
       float eps, float decay, int64_t step, float grad_scale),                                                               \
      (e, w, g, m, v, n, rate, beta1, beta2, eps, decay, step, grad_scale))

#define T2L_KERNELS(K) T2L_FORWARD_KERNELS(K) T2L_TRAINING_KERNELS(K)

#define T2L_EXPORT __attribute__((visibility("default")))

/* The best instruction set of this processor that was compiled in; an enum t2l_isa. */
T2L_EXPORT int32_t t2l_best_isa(void);

/* The engine for an instruction set (at most t2l_best_isa()) and a number of threads (at least 1), made once and never freed:
 * its threads sleep when idle and end with the process. Null if there is no such set or no memory. */
T2L_EXPORT const t2l_engine *t2l_open(int32_t isa, int32_t threads);

#define T2L_DECLARE(name, parameters, arguments) T2L_EXPORT int32_t t2l_##name parameters;
T2L_KERNELS(T2L_DECLARE)
#undef T2L_DECLARE

#endif
