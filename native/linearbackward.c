/*
 * The products behind linear: dx = dy w, and dw += dy^T x. Both are c = a b with b in rows: a panel of b is unpacked into scratch, and
 * many rows of c meet it.
 */
#include "formats.h"
#include "product.h"

enum { PANEL = 256 };               /* columns of b unpacked at a time */
enum { PANEL_STRIDE = PANEL + 16 }; /* keeps the rows of a panel out of one cache set */
enum { ROWS = 16 * TILE_ROWS };     /* rows of c that meet a panel */
enum { BIAS_COLUMNS = 64 };         /* summed at a time */

_Static_assert(DEPTH * PANEL_STRIDE * 4 <= T2L_SCRATCH_BYTES, "scratch holds a panel");
_Static_assert(PANEL % TILE_COLUMNS == 0, "a panel is whole tiles");

typedef struct {
    float *c;
    strided a;
    const uint8_t *b;
    int32_t type;
    int64_t b_stride, m, k, n, width;
    int add;
} product_job;

static void panel_piece(const void *job, int64_t piece, void *scratch) {
    const product_job *j = job;
    int64_t panels = ceil_div(j->n, j->width);
    int64_t column = piece % panels * j->width;
    int64_t row = piece / panels * ROWS;
    int64_t width = min64(j->width, j->n - column);
    int64_t rows = min64(ROWS, j->m - row);
    float *panel = scratch;
    for (int64_t from = 0; from == 0 || from < j->k; from += DEPTH) {
        int64_t depth = min64(DEPTH, j->k - from);
        for (int64_t i = 0; i < depth; i++) {
            unpack_row(panel + i * PANEL_STRIDE, j->b + (from + i) * j->b_stride, j->type, column, width);
        }
        strided a = {j->a.at + row * j->a.row + from * j->a.col, j->a.row, j->a.col};
        product(j->c + row * j->n + column, j->n, a, panel, PANEL_STRIDE, rows, depth, width, j->add || from > 0);
    }
}

/* Panels of about the same width, whole blocks and tiles each. */
static void multiply(const t2l_engine *e, product_job job) {
    if (job.n > 0) {
        int64_t unit = block_size(job.type) > TILE_COLUMNS ? block_size(job.type) : TILE_COLUMNS;
        job.width = ceil_div(ceil_div(job.n, ceil_div(job.n, PANEL)), unit) * unit;
        t2l_parallel(e->pool, panel_piece, &job, ceil_div(job.n, job.width) * ceil_div(job.m, ROWS), job.m * job.k * job.n);
    }
}

int32_t T2L_KERNEL(linear_backward)(const t2l_engine *e, float *dx, const float *dy, int64_t dy_stride, int64_t n, const void *w, int32_t type,
                                    int64_t out, int64_t in, int32_t add) {
    if (type < 0 || type >= T2L_TYPES) {
        return T2L_BAD_TYPE;
    }
    if (n < 0 || in < 0 || out < 0 || dy_stride < out || in % block_size(type) != 0) {
        return T2L_BAD_SIZE;
    }
    multiply(e, (product_job){dx, {dy, dy_stride, 1}, w, type, row_bytes(type, in), n, out, in, 0, add});
    return T2L_OK;
}

typedef struct {
    float *dbias;
    const float *dy;
    int64_t n, out;
    split split;
} bias_job;

static void bias_piece(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const bias_job *j = job;
    int64_t to = last_item(&j->split, piece);
    for (int64_t o = first_item(&j->split, piece); o < to; o += BIAS_COLUMNS) {
        int64_t width = min64(BIAS_COLUMNS, to - o);
        double sums[BIAS_COLUMNS] = {0};
        for (int64_t i = 0; i < j->n; i++) {
            for (int64_t c = 0; c < width; c++) {
                sums[c] += j->dy[i * j->out + o + c];
            }
        }
        for (int64_t c = 0; c < width; c++) {
            j->dbias[o + c] = (float)(j->dbias[o + c] + sums[c]);
        }
    }
}

int32_t T2L_KERNEL(linear_gradient)(const t2l_engine *e, float *dw, float *dbias, const float *dy, const float *x, int64_t n, int64_t out,
                                    int64_t in) {
    if (n < 0 || in < 0 || out < 0) {
        return T2L_BAD_SIZE;
    }
    multiply(e, (product_job){dw, {dy, 1, out}, (const uint8_t *)x, T2L_F32, in * 4, out, n, in, 0, 1});
    if (dbias != NULL) {
        bias_job job = {dbias, dy, n, out, split_items(e, out, BIAS_COLUMNS, n * out)};
        run_split(e, &job.split, bias_piece, &job);
    }
    return T2L_OK;
}
