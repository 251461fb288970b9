/*
 * out = softmax(softcap(scale q k^T)) v, for one row and head at a time: keys come in blocks, and the largest score, the sum of
 * the weights and the weighted sum of values are carried from block to block (Milakov and Gimelshein, 2018).
 */
#include "functions.h"

enum { KEYS = 64, KEY_GROUP = 4, COLUMN_GROUP = 4 };

typedef struct {
    float *out;
    const float *q;
    int64_t n;
    const float *k, *v;
    const int32_t *ranges;
    int64_t heads, group, head_dim, q_cols, kv_cols, window;
    float scale, softcap;
    split split;
} attention_job;

/* scores[t] = q . k[t] for count keys, count <= KEYS. */
static void dot_keys(const float *q, const float *k, int64_t stride, int64_t d, int64_t count, float *scores) {
    for (int64_t t = 0; t < count; t += KEY_GROUP) {
        vf acc[KEY_GROUP] = {zero(), zero(), zero(), zero()};
        const float *rows[KEY_GROUP];
        for (int g = 0; g < KEY_GROUP; g++) {
            rows[g] = k + min64(t + g, count - 1) * stride;
        }
        int64_t i = 0;
        for (; i + LANES <= d; i += LANES) {
            vf qv = load(q + i);
            for (int g = 0; g < KEY_GROUP; g++) {
                acc[g] = fma_(qv, load(rows[g] + i), acc[g]);
            }
        }
        if (i < d) {
            vf qv = load_part(q + i, d - i);
            for (int g = 0; g < KEY_GROUP; g++) {
                acc[g] = fma_(qv, load_part(rows[g] + i, d - i), acc[g]);
            }
        }
        vf4 s = sum4(acc[0], acc[1], acc[2], acc[3]);
        memcpy(scores + t, &s, sizeof s);
    }
}

/* Scales and caps the scores, and returns the largest; those from count on become very small. */
static float scale_scores(const attention_job *j, float *scores, int64_t count) {
    float largest = -__builtin_inff();
    for (int64_t t = 0; t < KEYS; t += LANES) {
        vf s = load(scores + t) * splat(j->scale);
        if (j->softcap != 0) {
            s = splat(j->softcap) * tanh_(s / splat(j->softcap));
        }
        store(scores + t, s);
    }
    for (int64_t t = 0; t < count; t++) {
        largest = scores[t] > largest || scores[t] != scores[t] ? scores[t] : largest;
    }
    return largest;
}

/* sums[c] = factor * sums[c] + sum over t of p[t] v[t][c] */
static void add_values(const float *p, const float *v, int64_t stride, int64_t d, int64_t count, float factor, float *sums) {
    int64_t c = 0;
    for (; c + COLUMN_GROUP * LANES <= d; c += COLUMN_GROUP * LANES) {
        vf acc[COLUMN_GROUP];
        for (int g = 0; g < COLUMN_GROUP; g++) {
            acc[g] = load(sums + c + g * LANES) * splat(factor);
        }
        for (int64_t t = 0; t < count; t++) {
            vf pv = splat(p[t]);
            for (int g = 0; g < COLUMN_GROUP; g++) {
                acc[g] = fma_(pv, load(v + t * stride + c + g * LANES), acc[g]);
            }
        }
        for (int g = 0; g < COLUMN_GROUP; g++) {
            store(sums + c + g * LANES, acc[g]);
        }
    }
    for (; c < d; c += LANES) {
        int64_t width = min64(LANES, d - c);
        vf acc = load(sums + c) * splat(factor);
        for (int64_t t = 0; t < count; t++) {
            const float *at = v + t * stride + c;
            acc = fma_(splat(p[t]), width == LANES ? load(at) : load_part(at, width), acc);
        }
        store(sums + c, acc);
    }
}

static int64_t first_key(const attention_job *j, int64_t row) {
    int64_t from = j->ranges[2 * row];
    int64_t to = j->ranges[2 * row + 1];
    return j->window > 0 && to - j->window > from ? to - j->window : from;
}

static void one_head(const attention_job *j, int64_t row, int64_t head) {
    int64_t d = j->head_dim;
    int64_t to = j->ranges[2 * row + 1];
    int64_t kv = head / j->group * d;
    const float *q = j->q + row * j->q_cols + head * d;
    float scores[KEYS] = {0};
    float sums[T2L_MAX_HEAD_DIM + LANES];
    memset(sums, 0, (size_t)ceil_div(d, LANES) * LANES * 4);
    float largest = -__builtin_inff();
    float total = 0;
    for (int64_t t = first_key(j, row); t < to; t += KEYS) {
        int64_t count = min64(KEYS, to - t);
        dot_keys(q, j->k + t * j->kv_cols + kv, j->kv_cols, d, count, scores);
        float block_largest = scale_scores(j, scores, count);
        float now = block_largest > largest || block_largest != block_largest ? block_largest : largest;
        float factor = total == 0 ? 0 : exp_(splat(largest - now))[0];
        largest = now;
        for (int64_t i = 0; i < KEYS; i += LANES) {
            store(scores + i, exp_(load(scores + i) - splat(now)));
        }
        float block_total = 0;
        for (int64_t i = 0; i < count; i++) {
            block_total += scores[i];
        }
        total = total * factor + block_total;
        add_values(scores, j->v + t * j->kv_cols + kv, j->kv_cols, d, count, factor, sums);
    }
    float *out = j->out + row * j->q_cols + head * d;
    for (int64_t c = 0; c < d; c++) {
        out[c] = sums[c] / total;
    }
}

/* Items are ordered by head, so that neighbours share keys. */
static void items(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const attention_job *j = job;
    for (int64_t i = first_item(&j->split, piece); i < last_item(&j->split, piece); i++) {
        one_head(j, i % j->n, i / j->n);
    }
}

int32_t T2L_KERNEL(attention)(const t2l_engine *e, float *out, const float *q, int64_t n, const float *k, const float *v, int64_t kv_rows,
                              const int32_t *ranges, int64_t heads, int64_t kv_heads, int64_t head_dim, int64_t window, float scale,
                              float softcap) {
    if (n < 0 || heads < 0 || kv_heads <= 0 || heads % kv_heads != 0 || head_dim <= 0 || head_dim > T2L_MAX_HEAD_DIM || window < 0) {
        return T2L_BAD_SIZE;
    }
    attention_job job = {out,      q,
                         n,        k,
                         v,        ranges,
                         heads,    heads / kv_heads,
                         head_dim, heads * head_dim,
                         kv_heads * head_dim, window,
                         scale,    softcap,
                         {0}};
    int64_t keys = 0;
    for (int64_t i = 0; i < n; i++) {
        if (ranges[2 * i] < 0 || ranges[2 * i + 1] <= ranges[2 * i] || ranges[2 * i + 1] > kv_rows) {
            return T2L_BAD_INDEX;
        }
        keys += ranges[2 * i + 1] - first_key(&job, i);
    }
    job.split = split_items(e, n * heads, 1, keys * heads * head_dim * 2);
    run_split(e, &job.split, items, &job);
    return T2L_OK;
}
