/*
 * attention backwards (Dao 2023, section 2.3). With p the probabilities and dp = dout v^T: ds = p * (dp - delta), delta the row's
 * dout . out; then dq = scale ds k, dk = scale ds^T q, dv = p^T dout. Nothing of size n x n is stored: probabilities are computed
 * anew, a block of queries by a block of keys at a time, from the logarithm of each row's sum.
 *
 * First dq, and those logarithms, by blocks of queries; then dk and dv by blocks of keys. Blocks are cut inside a sequence (queries whose
 * ranges start at the same key, keys whose last query is the same), counted from its start, so that a row's bits do not show what else is
 * in the batch.
 */
#include "functions.h"
#include "product.h"

#include <math.h>
#include <stdlib.h>

enum { QUERIES = 48, KEYS = 64, FEWER_KEYS = 16, WIDE = 256 }; /* beyond a head size of WIDE, fewer keys fit scratch */

_Static_assert((2 * WIDE * KEYS + 2 * QUERIES * KEYS) * 4 <= T2L_SCRATCH_BYTES, "scratch holds blocks");
_Static_assert((2 * T2L_MAX_HEAD_DIM * FEWER_KEYS + 2 * QUERIES * FEWER_KEYS) * 4 <= T2L_SCRATCH_BYTES, "scratch holds blocks");
_Static_assert(FEWER_KEYS % LANES == 0, "keys are whole vectors");

/* Rows of one sequence. */
typedef struct {
    int64_t from, to;
} block;

typedef struct {
    float *dq, *dk, *dv;
    const float *dout, *out, *q, *k, *v;
    int64_t n;
    const int32_t *ranges, *seen;
    int64_t heads, kv_heads, group, d, q_cols, kv_cols, window;
    float scale, softcap;
    int64_t keys;                    /* of a block */
    block *query_blocks, *key_blocks;
    int64_t n_query_blocks, n_key_blocks;
    float *largest, *total, *delta;  /* [heads, n]; total becomes the logarithm of the sum */
} backward_job;

/* keys and values transposed [d, j->keys]; scores and their gradients [QUERIES, j->keys] */
typedef struct {
    float *keys, *values, *scores, *gradients;
} blocks;

static blocks carve(const backward_job *j, float *scratch) {
    float *scores = scratch + 2 * j->d * j->keys;
    return (blocks){scratch, scratch + j->d * j->keys, scores, scores + QUERIES * j->keys};
}

static int64_t first_key(const backward_job *j, int64_t row) {
    int64_t from = j->ranges[2 * row];
    int64_t to = j->ranges[2 * row + 1];
    return j->window > 0 && to - j->window > from ? to - j->window : from;
}

INLINE int64_t clamp(int64_t x, int64_t to) {
    return x < 0 ? 0 : min64(x, to);
}

/* Columns of a head of count rows, as [d, j->keys]; the rest is 0. */
static void transpose(const backward_job *j, float *to, const float *rows, int64_t count) {
    for (int64_t c = 0; c < j->d; c++) {
        for (int64_t t = 0; t < j->keys; t++) {
            to[c * j->keys + t] = t < count ? rows[t * j->kv_cols + c] : 0;
        }
    }
}

/* rows [count, d] of queries against transposed keys */
INLINE void dot_keys(const backward_job *j, float *scores, const float *rows, const float *keys, int64_t count) {
    product(scores, j->keys, (strided){rows, j->q_cols, 1}, keys, j->keys, count, j->d, j->keys, 0);
}

INLINE vf capped(const backward_job *j, vf score) {
    vf s = score * splat(j->scale);
    if (j->softcap != 0) {
        s = splat(j->softcap) * tanh_(s / splat(j->softcap));
    }
    return s;
}

/* Takes a block of a row's scores into its largest and its sum; keys [from, to) are seen. */
static void add_scores(const backward_job *j, float *scores, int64_t from, int64_t to, float *largest, float *total) {
    float now = *largest;
    for (int64_t t = 0; t < j->keys; t += LANES) {
        store(scores + t, capped(j, load(scores + t)));
    }
    for (int64_t t = from; t < to; t++) {
        now = scores[t] > now || scores[t] != scores[t] ? scores[t] : now;
    }
    for (int64_t t = 0; t < j->keys; t += LANES) {
        store(scores + t, exp_(load(scores + t) - splat(now)));
    }
    float sum = 0;
    for (int64_t t = from; t < to; t++) {
        sum += scores[t];
    }
    *total = (*total == 0 ? 0 : *total * exp_(splat(*largest - now))[0]) + sum;
    *largest = now;
}

/* Products q k become probabilities, and dout v the gradients of those products; keys outside [from, to) get 0. */
static void differentiate(const backward_job *j, float *scores, float *gradients, int64_t from, int64_t to, float log, float delta) {
    for (int64_t t = 0; t < j->keys; t += LANES) {
        vf s = capped(j, load(scores + t));
        vf p = exp_(s - splat(log));
        vf g = p * (load(gradients + t) - splat(delta)) * splat(j->scale);
        if (j->softcap != 0) {
            vf u = s / splat(j->softcap);
            g = g * (splat(1) - u * u);
        }
        store(scores + t, p);
        store(gradients + t, g);
    }
    for (int64_t t = 0; t < j->keys; t++) {
        if (t < from || t >= to) {
            scores[t] = 0;
            gradients[t] = 0;
        }
    }
}

/* Probabilities and gradients of queries [row, row + rows) of a head, and keys [key, key + count). */
static void pairs(const backward_job *j, const blocks *b, int64_t row, int64_t rows, int64_t head, int64_t key, int64_t count) {
    dot_keys(j, b->scores, j->q + row * j->q_cols + head * j->d, b->keys, rows);
    dot_keys(j, b->gradients, j->dout + row * j->q_cols + head * j->d, b->values, rows);
    for (int64_t i = 0; i < rows; i++) {
        int64_t at = head * j->n + row + i;
        differentiate(j, b->scores + i * j->keys, b->gradients + i * j->keys, clamp(first_key(j, row + i) - key, count),
                      clamp(j->ranges[2 * (row + i) + 1] - key, count), j->total[at], j->delta[at]);
    }
}

/* The keys that any query of a block sees, from a block's start on. */
static block keys_seen(const backward_job *j, block rows) {
    int64_t start = j->ranges[2 * rows.from];
    int64_t from = first_key(j, rows.from);
    int64_t to = 0;
    for (int64_t i = rows.from; i < rows.to; i++) {
        from = min64(from, first_key(j, i));
        to = j->ranges[2 * i + 1] > to ? j->ranges[2 * i + 1] : to;
    }
    return (block){start + (from - start) / j->keys * j->keys, to};
}

/* Logarithms of sums, and delta, of a block of queries, all heads of a key head. */
static void sum_rows(const backward_job *j, const blocks *b, block rows, block seen, int64_t kv_head) {
    for (int64_t t = seen.from; t < seen.to; t += j->keys) {
        int64_t count = min64(j->keys, seen.to - t);
        transpose(j, b->keys, j->k + t * j->kv_cols + kv_head * j->d, count);
        for (int64_t head = kv_head * j->group; head < (kv_head + 1) * j->group; head++) {
            dot_keys(j, b->scores, j->q + rows.from * j->q_cols + head * j->d, b->keys, rows.to - rows.from);
            for (int64_t i = rows.from; i < rows.to; i++) {
                int64_t at = head * j->n + i;
                add_scores(j, b->scores + (i - rows.from) * j->keys, clamp(first_key(j, i) - t, count),
                           clamp(j->ranges[2 * i + 1] - t, count), &j->largest[at], &j->total[at]);
            }
        }
    }
    for (int64_t head = kv_head * j->group; head < (kv_head + 1) * j->group; head++) {
        for (int64_t i = rows.from; i < rows.to; i++) {
            const float *dout = j->dout + i * j->q_cols + head * j->d;
            const float *out = j->out + i * j->q_cols + head * j->d;
            double delta = 0;
            for (int64_t c = 0; c < j->d; c++) {
                delta += (double)dout[c] * out[c];
            }
            int64_t at = head * j->n + i;
            j->delta[at] = (float)delta;
            j->total[at] = (float)(j->largest[at] + log(j->total[at]));
        }
    }
}

/* A piece is a block of queries and the heads of one key head. */
static void queries_piece(const void *job, int64_t piece, void *scratch) {
    const backward_job *j = job;
    block rows = j->query_blocks[piece % j->n_query_blocks];
    int64_t kv_head = piece / j->n_query_blocks;
    blocks b = carve(j, scratch);
    block seen = keys_seen(j, rows);
    int64_t width = j->group * j->d;
    for (int64_t i = rows.from; i < rows.to; i++) {
        memset(j->dq + i * j->q_cols + kv_head * width, 0, (size_t)width * 4);
    }
    sum_rows(j, &b, rows, seen, kv_head);
    for (int64_t t = seen.from; t < seen.to; t += j->keys) {
        int64_t count = min64(j->keys, seen.to - t);
        int64_t at = t * j->kv_cols + kv_head * j->d;
        transpose(j, b.keys, j->k + at, count);
        transpose(j, b.values, j->v + at, count);
        for (int64_t head = kv_head * j->group; head < (kv_head + 1) * j->group; head++) {
            pairs(j, &b, rows.from, rows.to - rows.from, head, t, count);
            product(j->dq + rows.from * j->q_cols + head * j->d, j->q_cols, (strided){b.gradients, j->keys, 1}, j->k + at, j->kv_cols,
                    rows.to - rows.from, count, j->d, 1);
        }
    }
}

/* The queries that see any key of a block. */
static block queries_seeing(const backward_job *j, block keys) {
    block rows = {j->n, 0};
    for (int64_t t = keys.from; t < keys.to; t++) {
        rows.from = min64(rows.from, j->seen[2 * t]);
        rows.to = j->seen[2 * t + 1] > rows.to ? j->seen[2 * t + 1] : rows.to;
    }
    return rows;
}

/* A piece is a block of keys of one head. */
static void keys_piece(const void *job, int64_t piece, void *scratch) {
    const backward_job *j = job;
    block keys = j->key_blocks[piece % j->n_key_blocks];
    int64_t kv_head = piece / j->n_key_blocks;
    int64_t count = keys.to - keys.from;
    int64_t at = keys.from * j->kv_cols + kv_head * j->d;
    blocks b = carve(j, scratch);
    transpose(j, b.keys, j->k + at, count);
    transpose(j, b.values, j->v + at, count);
    for (int64_t t = 0; t < count; t++) {
        memset(j->dk + at + t * j->kv_cols, 0, (size_t)j->d * 4);
        memset(j->dv + at + t * j->kv_cols, 0, (size_t)j->d * 4);
    }
    block rows = queries_seeing(j, keys);
    for (int64_t i = rows.from; i < rows.to; i += QUERIES) {
        int64_t here = min64(QUERIES, rows.to - i);
        for (int64_t head = kv_head * j->group; head < (kv_head + 1) * j->group; head++) {
            int64_t query = i * j->q_cols + head * j->d;
            pairs(j, &b, i, here, head, keys.from, count);
            product(j->dv + at, j->kv_cols, (strided){b.scores, 1, j->keys}, j->dout + query, j->q_cols, count, here, j->d, 1);
            product(j->dk + at, j->kv_cols, (strided){b.gradients, 1, j->keys}, j->q + query, j->q_cols, count, here, j->d, 1);
        }
    }
}

/* Blocks of at most size rows whose bounds[2 * i + column] are the same. */
static int64_t cut(block *to, const int32_t *bounds, int column, int64_t n, int64_t size) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; count++) {
        int64_t from = i;
        while (i < n && i - from < size && bounds[2 * i + column] == bounds[2 * from + column]) {
            i++;
        }
        to[count] = (block){from, i};
    }
    return count;
}

static int32_t check(const backward_job *j, int64_t *pairs_seen) {
    for (int64_t i = 0; i < j->n; i++) {
        int64_t from = j->ranges[2 * i], to = j->ranges[2 * i + 1];
        if (from < 0 || to <= from || to > j->n || j->seen[2 * i] < 0 || j->seen[2 * i + 1] < j->seen[2 * i] || j->seen[2 * i + 1] > j->n) {
            return T2L_BAD_INDEX;
        }
        *pairs_seen += to - first_key(j, i);
    }
    return T2L_OK;
}

int32_t T2L_KERNEL(attention_backward)(const t2l_engine *e, float *dq, float *dk, float *dv, const float *dout, const float *out,
                                       const float *q, const float *k, const float *v, int64_t n, const int32_t *ranges,
                                       const int32_t *seen, int64_t heads, int64_t kv_heads, int64_t head_dim, int64_t window, float scale,
                                       float softcap) {
    if (n < 0 || heads < 0 || kv_heads <= 0 || heads % kv_heads != 0 || head_dim <= 0 || head_dim > T2L_MAX_HEAD_DIM || window < 0) {
        return T2L_BAD_SIZE;
    }
    backward_job job = {.dq = dq, .dk = dk, .dv = dv, .dout = dout, .out = out, .q = q, .k = k, .v = v, .n = n, .ranges = ranges, .seen = seen,
                        .heads = heads, .kv_heads = kv_heads, .group = heads / kv_heads, .d = head_dim, .q_cols = heads * head_dim,
                        .kv_cols = kv_heads * head_dim, .window = window, .scale = scale, .softcap = softcap,
                        .keys = head_dim <= WIDE ? KEYS : FEWER_KEYS};
    int64_t work = 0;
    int32_t result = check(&job, &work);
    if (result != T2L_OK || n == 0) {
        return result;
    }
    int64_t values = heads * n;
    job.query_blocks = malloc((size_t)(2 * n) * sizeof(block));
    job.largest = malloc((size_t)(3 * values) * 4);
    if (job.query_blocks == NULL || job.largest == NULL) {
        result = T2L_NO_MEMORY;
    } else {
        job.key_blocks = job.query_blocks + n;
        job.n_query_blocks = cut(job.query_blocks, ranges, 0, n, QUERIES);
        job.n_key_blocks = cut(job.key_blocks, seen, 1, n, job.keys);
        job.total = job.largest + values;
        job.delta = job.total + values;
        memset(job.total, 0, (size_t)values * 4);
        for (int64_t i = 0; i < values; i++) {
            job.largest[i] = -__builtin_inff();
        }
        work *= heads * head_dim * 4;
        t2l_parallel(e->pool, queries_piece, &job, job.n_query_blocks * kv_heads, work);
        t2l_parallel(e->pool, keys_piece, &job, job.n_key_blocks * kv_heads, work);
    }
    free(job.query_blocks);
    free(job.largest);
    return result;
}
