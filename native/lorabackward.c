/*
 * lora backwards, a span of rows with one adapter each: t = scale dy B, dx = t A, dA += t^T x, dB += dy^T low, low = scale x A^T. First t,
 * low and dx by rows, then the gradients by their own rows and columns.
 */
#include "dots.h"
#include "product.h"

#include <stdlib.h>

enum { ROWS = 4 * TILE_ROWS }; /* of a span, at a time */
enum { COLUMNS = 256 };        /* of dA */
enum { OUTPUTS = 128 };        /* rows of B that lie side by side in dy, where heads are not interleaved */

typedef struct {
    float *dx;
    const float *dy, *x;
    int64_t in, out;
    const t2l_adapter *factors; /* and then the gradients */
    const int32_t *spans;
    int64_t count, head_dim;
    int64_t rank;    /* the largest */
    float *t, *low;  /* [n, rank], rows as wide as their own adapter's rank */
    int64_t segment; /* rows of B that lie at even distances in dy */
    int64_t pieces;  /* of a span */
} lora_job;

/* Columns of dy that belong to rows [o, o + segment) of B. */
INLINE strided columns(const lora_job *j, int64_t row, int64_t o) {
    int64_t half = j->head_dim / 2;
    int64_t in_head = j->head_dim == 0 ? 0 : o % j->head_dim;
    int64_t at = j->head_dim == 0 ? o : o - in_head + in_head / half;
    return (strided){j->dy + row * j->out + at, j->out, j->head_dim == 0 ? 1 : 2};
}

static void rows_piece(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const lora_job *j = job;
    int64_t span = piece / j->pieces;
    int64_t from = j->spans[2 * span] + piece % j->pieces * ROWS;
    int64_t rows = min64(ROWS, j->spans[2 * span + 1] - from);
    if (rows <= 0) {
        return;
    }
    const t2l_adapter *f = &j->factors[span];
    int64_t r = f->rank;
    float *t = j->t + from * j->rank;
    float *low = j->low + from * j->rank;
    for (int64_t o = 0; o == 0 || o < j->out; o += j->segment) {
        product(t, j->rank, columns(j, from, o), f->b + o * r, r, rows, min64(j->segment, j->out - o), r, o > 0);
    }
    for (int64_t i = 0; i < rows; i++) {
        const float *x = j->x + (from + i) * j->in;
        for (int64_t k = 0; k < r; k += ROW_GROUP) {
            int64_t count = min64(ROW_GROUP, r - k);
            vf4 s = four_dots(x, f->a + k * j->in, j->in, count);
            for (int64_t g = 0; g < count; g++) {
                low[i * j->rank + k + g] = f->scale * s[g];
                t[i * j->rank + k + g] *= f->scale;
            }
        }
    }
    product(j->dx + from * j->in, j->in, (strided){t, j->rank, 1}, f->a, j->in, rows, r, j->in, 0);
}

static void gradients_piece(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const lora_job *j = job;
    int64_t span = piece / j->pieces;
    int64_t part = piece % j->pieces;
    int64_t from = j->spans[2 * span];
    int64_t rows = j->spans[2 * span + 1] - from;
    const t2l_adapter *gradient = &j->factors[j->count + span];
    int64_t r = gradient->rank;
    int64_t of_a = ceil_div(j->in, COLUMNS);
    if (part < of_a) {
        int64_t column = part * COLUMNS;
        product((float *)gradient->a + column, j->in, (strided){j->t + from * j->rank, 1, j->rank}, j->x + from * j->in + column, j->in, r,
                rows, min64(COLUMNS, j->in - column), 1);
    } else {
        int64_t o = (part - of_a) * j->segment;
        strided dy = columns(j, from, o);
        product((float *)gradient->b + o * r, r, (strided){dy.at, dy.col, dy.row}, j->low + from * j->rank, j->rank,
                min64(j->segment, j->out - o), rows, r, 1);
    }
}

/* Rows in no span become 0. */
static int32_t check_and_clear(lora_job *j, int64_t n, int64_t *work, int64_t *longest) {
    int64_t done = 0;
    for (int64_t k = 0; k < j->count; k++) {
        int64_t from = j->spans[2 * k];
        int64_t to = j->spans[2 * k + 1];
        int64_t r = j->factors[k].rank;
        if (from < done || to < from || to > n) {
            return T2L_BAD_INDEX;
        }
        if (r < 1 || r > T2L_MAX_RANK || j->factors[j->count + k].rank != r) {
            return T2L_BAD_SIZE;
        }
        memset(j->dx + done * j->in, 0, (size_t)((from - done) * j->in) * 4);
        done = to;
        *work += (to - from) * r * (j->in + j->out);
        *longest = to - from > *longest ? to - from : *longest;
        j->rank = r > j->rank ? r : j->rank;
    }
    memset(j->dx + done * j->in, 0, (size_t)((n - done) * j->in) * 4);
    return T2L_OK;
}

int32_t T2L_KERNEL(lora_backward)(const t2l_engine *e, float *dx, const float *dy, const float *x, int64_t n, int64_t in, int64_t out,
                                  const t2l_adapter *factors, const int32_t *spans, int64_t count, int64_t head_dim) {
    if (n < 0 || in < 0 || out < 0 || count < 0 || head_dim < 0 || (head_dim > 0 && (head_dim % 2 != 0 || out % head_dim != 0))) {
        return T2L_BAD_SIZE;
    }
    lora_job job = {dx, dy, x, in, out, factors, spans, count, head_dim, 0, NULL, NULL, head_dim == 0 ? OUTPUTS : head_dim / 2, 0};
    int64_t work = 0;
    int64_t longest = 0;
    int32_t result = check_and_clear(&job, n, &work, &longest);
    if (result != T2L_OK || longest == 0) {
        return result;
    }
    job.t = malloc((size_t)(2 * n * job.rank) * 4);
    if (job.t == NULL) {
        return T2L_NO_MEMORY;
    }
    job.low = job.t + n * job.rank;
    job.pieces = ceil_div(longest, ROWS);
    t2l_parallel(e->pool, rows_piece, &job, count * job.pieces, 2 * work);
    job.pieces = ceil_div(in, COLUMNS) + ceil_div(out, job.segment);
    t2l_parallel(e->pool, gradients_piece, &job, count * job.pieces, work);
    free(job.t);
    return T2L_OK;
}
