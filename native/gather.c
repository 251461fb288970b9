/* out[i, column .. column+d) = scale * table[ids[i], :] */
#include "formats.h"

typedef struct {
    float *out;
    int64_t out_cols;
    const uint8_t *table;
    int32_t type;
    int64_t d, stride;
    const int32_t *ids;
    float scale;
    split split;
} gather_job;

static void rows(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const gather_job *j = job;
    for (int64_t i = first_item(&j->split, piece); i < last_item(&j->split, piece); i++) {
        float *out = j->out + i * j->out_cols;
        unpack_row(out, j->table + j->ids[i] * j->stride, j->type, 0, j->d);
        for (int64_t c = 0; c < j->d; c++) {
            out[c] *= j->scale;
        }
    }
}

int32_t T2L_KERNEL(gather)(const t2l_engine *e, float *out, int64_t out_cols, int64_t column, const void *table, int32_t type,
                           int64_t table_rows, int64_t d, const int32_t *ids, int64_t n, float scale) {
    if (type < 0 || type >= T2L_TYPES) {
        return T2L_BAD_TYPE;
    }
    if (n < 0 || d < 0 || column < 0 || column + d > out_cols || d % block_size(type) != 0) {
        return T2L_BAD_SIZE;
    }
    for (int64_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= table_rows) {
            return T2L_BAD_INDEX;
        }
    }
    gather_job job = {out + column, out_cols, table, type, d, row_bytes(type, d), ids, scale, split_items(e, n, 1, n * d)};
    run_split(e, &job.split, rows, &job);
    return T2L_OK;
}
