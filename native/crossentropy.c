/*
 * loss = weight * ((1 - s) * nll(label) + s * mean of nll), logits = weight * (softmax - target), a row at a time. The sum of
 * exponentials is taken in chunks, each a vector of sums, added in double.
 */
#include "functions.h"
#include "sums.h"

#include <math.h>

enum { CHUNK = 1024, WORK_A_VALUE = 16 };

typedef struct {
    float *loss, *logits;
    int64_t vocabulary;
    const int32_t *labels;
    const float *weight;
    float smoothing;
    split split;
} cross_entropy_job;

static float largest_of(const float *x, int64_t n) {
    vf largest = splat(-__builtin_inff());
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        largest = max_(largest, load(x + i));
    }
    float most = largest[0];
    for (int l = 1; l < LANES; l++) {
        most = largest[l] > most ? largest[l] : most;
    }
    for (; i < n; i++) {
        most = x[i] > most ? x[i] : most;
    }
    return most;
}

/* x = exp(x - largest); returns its sum. */
static double exponentials(float *x, int64_t n, float largest) {
    double total = 0;
    for (int64_t from = 0; from < n; from += CHUNK) {
        int64_t to = min64(n, from + CHUNK);
        vf sums = zero();
        int64_t i = from;
        for (; i + LANES <= to; i += LANES) {
            vf e = exp_(load(x + i) - splat(largest));
            store(x + i, e);
            sums += e;
        }
        total += sum(sums);
        for (; i < to; i++) {
            x[i] = exp_(splat(x[i] - largest))[0];
            total += x[i];
        }
    }
    return total;
}

static void rows(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const cross_entropy_job *j = job;
    int64_t n = j->vocabulary;
    for (int64_t r = first_item(&j->split, piece); r < last_item(&j->split, piece); r++) {
        float *x = j->logits + r * n;
        int32_t label = j->labels[r];
        if (label < 0) {
            j->loss[r] = 0;
            memset(x, 0, (size_t)n * 4);
            continue;
        }
        double of = j->weight[r];
        double at_label = x[label];
        double mean = row_sum(x, n) / (double)n;
        float largest = largest_of(x, n);
        double total = exponentials(x, n, largest);
        double log_sum = largest + log(total);
        double smoothing = j->smoothing;
        j->loss[r] = (float)(of * ((1 - smoothing) * (log_sum - at_label) + smoothing * (log_sum - mean)));
        vf factor = splat((float)(of / total));
        vf spread = splat((float)(of * smoothing / (double)n));
        double p = x[label] / total;
        for (int64_t i = 0; i < n; i += LANES) {
            store_some(x + i, load_some(x + i, n - i) * factor - spread, n - i);
        }
        x[label] = (float)(of * (p - smoothing / (double)n - (1 - smoothing)));
    }
}

int32_t T2L_KERNEL(cross_entropy)(const t2l_engine *e, float *loss, float *logits, int64_t n, int64_t vocabulary, const int32_t *labels,
                                  const float *weight, float smoothing) {
    if (n < 0 || vocabulary <= 0) {
        return T2L_BAD_SIZE;
    }
    for (int64_t i = 0; i < n; i++) {
        if (labels[i] >= vocabulary) {
            return T2L_BAD_INDEX;
        }
    }
    cross_entropy_job job = {loss, logits, vocabulary, labels, weight, smoothing, split_items(e, n, 1, n * vocabulary * WORK_A_VALUE)};
    run_split(e, &job.split, rows, &job);
    return T2L_OK;
}
