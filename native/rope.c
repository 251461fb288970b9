/* Rotary position embedding: the angles of positions, and the rotation of heads by them. */
#include "simd.h"

#include <math.h>

int32_t T2L_KERNEL(rope_angles)(const t2l_engine *e, float *out, const int32_t *positions, int64_t n, const float *inv_freq, int64_t h,
                                float factor) {
    (void)e;
    if (n < 0 || h < 0) {
        return T2L_BAD_SIZE;
    }
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < h; j++) {
            float angle = (float)positions[i] * inv_freq[j];
            out[i * 2 * h + j] = (float)(factor * cos(angle));
            out[i * 2 * h + h + j] = (float)(factor * sin(angle));
        }
    }
    return T2L_OK;
}

typedef struct {
    float *x;
    int64_t heads, h;
    const float *angles;
    int32_t interleaved;
    split split;
} rope_job;

/* Pairs (j, j + h) */
INLINE void rotate_halves(float *x, const float *angles, int64_t h) {
    int64_t j = 0;
    for (; j + LANES <= h; j += LANES) {
        vf c = load(angles + j), s = load(angles + h + j), a = load(x + j), b = load(x + h + j);
        store(x + j, a * c - b * s);
        store(x + h + j, b * c + a * s);
    }
    for (; j < h; j++) {
        float c = angles[j], s = angles[h + j], a = x[j], b = x[h + j];
        x[j] = a * c - b * s;
        x[h + j] = b * c + a * s;
    }
}

/* Pairs (2j, 2j + 1) */
INLINE void rotate_neighbours(float *x, const float *angles, int64_t h) {
    for (int64_t j = 0; j < h; j++) {
        float c = angles[j], s = angles[h + j], a = x[2 * j], b = x[2 * j + 1];
        x[2 * j] = a * c - b * s;
        x[2 * j + 1] = b * c + a * s;
    }
}

static void rows(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const rope_job *j = job;
    for (int64_t i = first_item(&j->split, piece); i < last_item(&j->split, piece); i++) {
        const float *angles = j->angles + i * 2 * j->h;
        for (int64_t head = 0; head < j->heads; head++) {
            float *x = j->x + (i * j->heads + head) * 2 * j->h;
            if (j->interleaved) {
                rotate_neighbours(x, angles, j->h);
            } else {
                rotate_halves(x, angles, j->h);
            }
        }
    }
}

int32_t T2L_KERNEL(rope)(const t2l_engine *e, float *x, int64_t n, int64_t heads, int64_t h, const float *angles, int32_t interleaved) {
    if (n < 0 || heads < 0 || h < 0) {
        return T2L_BAD_SIZE;
    }
    rope_job job = {x, heads, h, angles, interleaved, split_items(e, n, 1, n * heads * h * 4)};
    run_split(e, &job.split, rows, &job);
    return T2L_OK;
}
