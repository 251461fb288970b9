/*
 * y[i] += weight * scale * (x[i] A^T) B^T for each adapter on row i's list, in the order of the list. A slot of -1 ends the
 * list; a weight of 0 leaves the row's bits alone.
 */
#include "dots.h"

typedef struct {
    float *y;
    const float *x;
    int64_t in, out;
    const t2l_adapter *factors;
    const int32_t *slots;
    const float *weights;
    int64_t per_row, head_dim;
    split split;
} lora_job;

typedef struct {
    const lora_job *lora;
    const t2l_adapter *factor;
    const float *low; /* [rank] */
    float *y;         /* [out] */
    float weight;
    split split;
} expand_job;

/* Where output row o of B lies in a weight whose heads are interleaved. */
INLINE int64_t place(int64_t o, int64_t head_dim) {
    if (head_dim == 0) {
        return o;
    }
    int64_t in_head = o % head_dim;
    int64_t half = head_dim / 2;
    return o - in_head + 2 * (in_head % half) + in_head / half;
}

/* low = A x */
static void compress(const lora_job *j, const t2l_adapter *f, const float *x, float *low) {
    for (int64_t k = 0; k < f->rank; k += ROW_GROUP) {
        int64_t count = min64(ROW_GROUP, f->rank - k);
        vf4 s = four_dots(x, f->a + k * j->in, j->in, count);
        for (int64_t r = 0; r < count; r++) {
            low[k + r] = s[r];
        }
    }
}

/* y += weight * B low, for outputs [from, to) */
static void expand(const expand_job *j, int64_t from, int64_t to) {
    int64_t rank = j->factor->rank;
    for (int64_t o = from; o < to; o += ROW_GROUP) {
        int64_t count = min64(ROW_GROUP, to - o);
        vf4 s = four_dots(j->low, j->factor->b + o * rank, rank, count);
        for (int64_t r = 0; r < count; r++) {
            float *y = j->y + place(o + r, j->lora->head_dim);
            *y += j->weight * s[r];
        }
    }
}

static void expand_piece(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const expand_job *j = job;
    expand(j, first_item(&j->split, piece), last_item(&j->split, piece));
}

/* One row; e, if not null, spreads its outputs. */
static void row(const t2l_engine *e, const lora_job *j, int64_t i) {
    const float *x = j->x + i * j->in;
    for (int64_t s = 0; s < j->per_row && j->slots[i * j->per_row + s] >= 0; s++) {
        const t2l_adapter *f = &j->factors[j->slots[i * j->per_row + s]];
        float weight = j->weights[i * j->per_row + s] * f->scale;
        if (weight == 0) {
            continue;
        }
        float low[T2L_MAX_RANK];
        compress(j, f, x, low);
        expand_job job = {j, f, low, j->y + i * j->out, weight, {0}};
        if (e == NULL) {
            expand(&job, 0, j->out);
        } else {
            job.split = split_items(e, j->out, ROW_GROUP, j->out * f->rank);
            run_split(e, &job.split, expand_piece, &job);
        }
    }
}

static void rows(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const lora_job *j = job;
    for (int64_t i = first_item(&j->split, piece); i < last_item(&j->split, piece); i++) {
        row(NULL, j, i);
    }
}

int32_t T2L_KERNEL(lora)(const t2l_engine *e, float *y, const float *x, int64_t n, int64_t in, int64_t out,
                         const t2l_adapter *factors, int64_t n_factors, const int32_t *slots, const float *weights,
                         int64_t per_row, int64_t head_dim) {
    if (n < 0 || in < 0 || out < 0 || per_row < 0 || head_dim < 0 || (head_dim > 0 && (head_dim % 2 != 0 || out % head_dim != 0))) {
        return T2L_BAD_SIZE;
    }
    int64_t work = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t s = i * per_row; s < (i + 1) * per_row && slots[s] >= 0; s++) {
            if (slots[s] >= n_factors) {
                return T2L_BAD_INDEX;
            }
            int32_t rank = factors[slots[s]].rank;
            if (rank < 0 || rank > T2L_MAX_RANK) {
                return T2L_BAD_SIZE;
            }
            work += rank * (in + out);
        }
    }
    lora_job job = {y, x, in, out, factors, slots, weights, per_row, head_dim, split_items(e, n, 1, work)};
    if (n >= e->threads) {
        run_split(e, &job.split, rows, &job);
    } else {
        for (int64_t i = 0; i < n; i++) {
            row(e, &job, i);
        }
    }
    return T2L_OK;
}
