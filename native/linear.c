/*
 * y = x w^T + bias. One row of x reads w once, unpacking it in registers, four rows of w at a time. Several rows unpack a panel
 * of w into scratch and take it by tiles. Both give a value the same bits: one accumulator, over k in one order.
 */
#include "formats.h"

enum { GROUP = 4 };    /* rows of w that one row of x meets at a time, and a tile's rows of w */
enum { PANEL = 16 };   /* rows of w unpacked at a time */
enum { DEPTH = 1024 }; /* elements of each */
enum { PANEL_STRIDE = DEPTH + 16 }; /* keeps the rows of a panel out of one cache set */
#if defined(__AVX512F__) || defined(__aarch64__)
enum { TILE = 6 }; /* a tile's rows of x */
#else
enum { TILE = 3 };
#endif
enum { ROWS = 16 * TILE }; /* rows of x that meet an unpacked panel */

_Static_assert((PANEL * PANEL_STRIDE + ROWS * PANEL * LANES) * 4 <= T2L_SCRATCH_BYTES, "scratch holds a panel and its sums");

typedef struct {
    float *y;
    int64_t y_stride;
    const float *x;
    int64_t n, in;
    const uint8_t *w;
    int32_t type;
    int64_t w_stride, out;
    const void *bias;
    int32_t bias_type;
    split split;
} linear_job;

/* y[o .. o+count) of a row, from four sums. */
INLINE void put(const linear_job *j, float *y, int64_t o, vf4 sums) {
    int64_t count = min64(GROUP, j->out - o);
    for (int64_t i = 0; i < count; i++) {
        y[o + i] = j->bias == NULL ? sums[i] : sums[i] + element(j->bias, j->bias_type, o + i);
    }
}

#define DEFINE_BLOCK_DOTS(F)                                                                                             \
    INLINE void F##_dots(const float *x, const uint8_t *w, int64_t stride, int64_t k, int rows, vf *acc) {               \
        for (int64_t b = 0; b < k / F##_BLOCK; b++) {                                                                    \
            block_scales scales[GROUP];                                                                                  \
            for (int r = 0; r < rows; r++) {                                                                             \
                F##_scales(w + r * stride + b * F##_BYTES, &scales[r]);                                                  \
            }                                                                                                            \
            for (int part = 0; part < F##_BLOCK / F##_PART; part++) {                                                    \
                const float *px = x + b * F##_BLOCK + part * F##_PART;                                                   \
                for (int r = 0; r < rows; r++) {                                                                         \
                    vf v[F##_PART / LANES];                                                                              \
                    F##_unpack(w + r * stride + b * F##_BYTES, &scales[r], part, v);                                     \
                    for (int i = 0; i < F##_PART / LANES; i++) {                                                         \
                        acc[r] = fma_(load(px + i * LANES), v[i], acc[r]);                                               \
                    }                                                                                                    \
                }                                                                                                        \
            }                                                                                                            \
        }                                                                                                                \
    }

DEFINE_BLOCK_DOTS(Q4_0)
DEFINE_BLOCK_DOTS(Q4_1)
DEFINE_BLOCK_DOTS(Q8_0)
DEFINE_BLOCK_DOTS(Q4_K)
DEFINE_BLOCK_DOTS(Q6_K)

INLINE void plain_dots(const float *x, const uint8_t *w, int64_t stride, int32_t type, int64_t k, int rows, vf *acc) {
    int64_t i = 0;
    for (; i + LANES <= k; i += LANES) {
        vf xv = load(x + i);
        for (int r = 0; r < rows; r++) {
            acc[r] = fma_(xv, elements(w + r * stride, type, i), acc[r]);
        }
    }
    if (i < k) {
        vf xv = load_part(x + i, k - i);
        for (int r = 0; r < rows; r++) {
            acc[r] = fma_(xv, elements_part(w + r * stride, type, i, k - i), acc[r]);
        }
    }
}

#define F32_dots(x, w, stride, k, rows, acc) plain_dots(x, w, stride, T2L_F32, k, rows, acc)
#define F16_dots(x, w, stride, k, rows, acc) plain_dots(x, w, stride, T2L_F16, k, rows, acc)
#define BF16_dots(x, w, stride, k, rows, acc) plain_dots(x, w, stride, T2L_BF16, k, rows, acc)

/* The next group's rows, on their way while this one is computed. */
INLINE void fetch_ahead(const linear_job *j, int64_t o, int64_t to) {
    if (o + 2 * GROUP <= to) {
        const uint8_t *next = j->w + (o + GROUP) * j->w_stride;
        for (int64_t at = 0; at < GROUP * j->w_stride; at += 64) {
            __builtin_prefetch(next + at);
        }
    }
}

/* Outputs [from, to) of one row of x. */
#define DEFINE_ONE_ROW(F)                                                                          \
    static void F##_one_row(const linear_job *j, int64_t from, int64_t to) {                       \
        int64_t o = from;                                                                          \
        for (; o + GROUP <= to; o += GROUP) {                                                      \
            fetch_ahead(j, o, to);                                                                 \
            vf acc[GROUP] = {zero(), zero(), zero(), zero()};                                      \
            F##_dots(j->x, j->w + o * j->w_stride, j->w_stride, j->in, GROUP, acc);                \
            put(j, j->y, o, sum4(acc[0], acc[1], acc[2], acc[3]));                                 \
        }                                                                                          \
        for (; o < to; o++) {                                                                      \
            vf acc[1] = {zero()};                                                                  \
            F##_dots(j->x, j->w + o * j->w_stride, j->w_stride, j->in, 1, acc);                    \
            float s = sum(acc[0]);                                                                 \
            j->y[o] = j->bias == NULL ? s : s + element(j->bias, j->bias_type, o);                 \
        }                                                                                          \
    }

DEFINE_ONE_ROW(F32)
DEFINE_ONE_ROW(F16)
DEFINE_ONE_ROW(BF16)
DEFINE_ONE_ROW(Q4_0)
DEFINE_ONE_ROW(Q4_1)
DEFINE_ONE_ROW(Q8_0)
DEFINE_ONE_ROW(Q4_K)
DEFINE_ONE_ROW(Q6_K)

static void one_row(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const linear_job *j = job;
    static void (*const BY_TYPE[T2L_TYPES])(const linear_job *, int64_t, int64_t) = {
        F32_one_row, F16_one_row, BF16_one_row, Q4_0_one_row, Q4_1_one_row, Q8_0_one_row, Q4_K_one_row, Q6_K_one_row};
    BY_TYPE[j->type](j, first_item(&j->split, piece), last_item(&j->split, piece));
}

/* acc[g * TILE + i] += x[i] . panel[g] over k elements, rows of x from 0 to count. */
INLINE void tile(const float *x, int64_t x_stride, const float *panel, int64_t k, int count, vf *acc) {
    int64_t at = 0;
    for (; at + LANES <= k; at += LANES) {
        vf w[GROUP];
        for (int g = 0; g < GROUP; g++) {
            w[g] = load(panel + g * PANEL_STRIDE + at);
        }
        for (int i = 0; i < count; i++) {
            vf xv = load(x + i * x_stride + at);
            for (int g = 0; g < GROUP; g++) {
                acc[g * TILE + i] = fma_(xv, w[g], acc[g * TILE + i]);
            }
        }
    }
    if (at < k) {
        for (int i = 0; i < count; i++) {
            vf xv = load_part(x + i * x_stride + at, k - at);
            for (int g = 0; g < GROUP; g++) {
                acc[g * TILE + i] = fma_(xv, load_part(panel + g * PANEL_STRIDE + at, k - at), acc[g * TILE + i]);
            }
        }
    }
}

/* A tile's part of k: sums start at zero or in scratch, and end in y or in scratch. */
INLINE void tile_step(const linear_job *j, int64_t row, int64_t o, int64_t from, int64_t k, const float *panel, int count, float *sums) {
    vf acc[GROUP * TILE];
    for (int a = 0; a < GROUP * TILE; a++) {
        acc[a] = from == 0 ? zero() : load(sums + a * LANES);
    }
    tile(j->x + row * j->in + from, j->in, panel, k, count, acc);
    if (from + k < j->in) {
        for (int a = 0; a < GROUP * TILE; a++) {
            store(sums + a * LANES, acc[a]);
        }
        return;
    }
    for (int i = 0; i < count; i++) {
        put(j, j->y + (row + i) * j->y_stride, o, sum4(acc[i], acc[TILE + i], acc[2 * TILE + i], acc[3 * TILE + i]));
    }
}

static void tile_of(const linear_job *j, int64_t row, int64_t o, int64_t from, int64_t k, const float *panel, int64_t count, float *sums) {
    switch (count) {
    case 1:
        tile_step(j, row, o, from, k, panel, 1, sums);
        break;
    case 2:
        tile_step(j, row, o, from, k, panel, 2, sums);
        break;
#if defined(__AVX512F__) || defined(__aarch64__)
    case 3:
        tile_step(j, row, o, from, k, panel, 3, sums);
        break;
    case 4:
        tile_step(j, row, o, from, k, panel, 4, sums);
        break;
    case 5:
        tile_step(j, row, o, from, k, panel, 5, sums);
        break;
#endif
    default:
        tile_step(j, row, o, from, k, panel, TILE, sums);
    }
}

/* A piece is PANEL outputs of ROWS rows. */
static void many_rows(const void *job, int64_t piece, void *scratch) {
    const linear_job *j = job;
    int64_t panels = ceil_div(j->out, PANEL);
    int64_t o0 = piece % panels * PANEL;
    int64_t row0 = piece / panels * ROWS;
    int64_t outs = min64(PANEL, j->out - o0);
    int64_t rows = min64(ROWS, j->n - row0);
    float *panel = scratch;
    float *sums = panel + PANEL * PANEL_STRIDE;
    for (int64_t from = 0; from == 0 || from < j->in; from += DEPTH) {
        int64_t k = min64(DEPTH, j->in - from);
        for (int64_t o = 0; o < ceil_div(outs, GROUP) * GROUP; o++) {
            if (o < outs) {
                unpack_row(panel + o * PANEL_STRIDE, j->w + (o0 + o) * j->w_stride, j->type, from, k);
            } else {
                memset(panel + o * PANEL_STRIDE, 0, (size_t)k * 4);
            }
        }
        for (int64_t i = 0; i < rows; i += TILE) {
            for (int64_t o = 0; o < outs; o += GROUP) {
                tile_of(j, row0 + i, o0 + o, from, k, panel + o * PANEL_STRIDE, min64(TILE, rows - i), sums + (i * PANEL + o * TILE) * LANES);
            }
        }
    }
}

int32_t T2L_KERNEL(linear)(const t2l_engine *e, float *y, int64_t y_stride, const float *x, int64_t n, int64_t in, const void *w,
                           int32_t type, int64_t out, const void *bias, int32_t bias_type) {
    if (type < 0 || type >= T2L_TYPES || (bias != NULL && !is_plain(bias_type))) {
        return T2L_BAD_TYPE;
    }
    if (n < 0 || in < 0 || out < 0 || y_stride < out || in % block_size(type) != 0) {
        return T2L_BAD_SIZE;
    }
    linear_job job = {y, y_stride, x, n, in, w, type, row_bytes(type, in), out, bias, bias_type, {0}};
    if (n == 1) {
        job.split = split_items(e, out, GROUP, in * out);
        run_split(e, &job.split, one_row, &job);
    } else if (n > 1 && out > 0) {
        t2l_parallel(e->pool, many_rows, &job, ceil_div(out, PANEL) * ceil_div(n, ROWS), n * in * out);
    }
    return T2L_OK;
}
