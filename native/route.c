/*
 * The rows choose among the adapters of their lists: score_s = |prototype_s . x[i]|, the best so many scores (the first of equals)
 * become weights given * softmax(score / temperature), the others 0. Scores wait where the weights will be.
 */
#include "dots.h"

#include <math.h>

typedef struct {
    float *weights;
    const float *x;
    int64_t in;
    const float *const *prototypes;
    const int32_t *slots;
    const float *given, *choices;
    int64_t per_row;
    split split;
} route_job;

/* The last of the chosen: entries with better scores are chosen, too, and equal ones before it. */
typedef struct {
    float score;
    int64_t at; /* -1: nothing is chosen */
} place_in_order;

INLINE int chosen(float score, int64_t at, place_in_order last) {
    return last.at >= 0 && (score > last.score || (score == last.score && at <= last.at));
}

/* The next one in the order of scores and then places; at -1 if there is none. */
static place_in_order next_one(const float *scores, int64_t length, place_in_order last) {
    place_in_order best = {0, -1};
    for (int64_t s = 0; s < length; s++) {
        int after = scores[s] < last.score || (scores[s] == last.score && s > last.at);
        if (after && (best.at < 0 || scores[s] > best.score)) {
            best = (place_in_order){scores[s], s};
        }
    }
    return best;
}

static void route_row(const route_job *j, int64_t i) {
    float *weights = j->weights + i * j->per_row;
    const float *given = j->given + i * j->per_row;
    const int32_t *slots = j->slots + i * j->per_row;
    int64_t wanted = (int64_t)j->choices[2 * i];
    if (wanted == 0) {
        for (int64_t s = 0; s < j->per_row; s++) {
            weights[s] = given[s];
        }
        return;
    }
    int64_t length = 0;
    for (; length < j->per_row && slots[length] >= 0; length++) {
        weights[length] = fabsf(four_dots(j->x + i * j->in, j->prototypes[slots[length]], j->in, 1)[0]);
    }
    place_in_order last = {INFINITY, -1};
    float best = 0;
    for (int64_t round = 0; round < wanted; round++) {
        place_in_order next = next_one(weights, length, last);
        if (next.at < 0) {
            break;
        }
        last = next;
        best = round == 0 ? next.score : best;
    }
    double temperature = j->choices[2 * i + 1];
    double sum = 0;
    for (int64_t s = 0; s < length; s++) {
        sum += chosen(weights[s], s, last) ? exp(((double)weights[s] - best) / temperature) : 0;
    }
    for (int64_t s = 0; s < length; s++) {
        double share = chosen(weights[s], s, last) ? exp(((double)weights[s] - best) / temperature) / sum : 0;
        weights[s] = (float)(given[s] * share);
    }
}

static void route_piece(const void *job, int64_t piece, void *scratch) {
    (void)scratch;
    const route_job *j = job;
    for (int64_t i = first_item(&j->split, piece); i < last_item(&j->split, piece); i++) {
        route_row(j, i);
    }
}

int32_t T2L_KERNEL(route)(const t2l_engine *e, float *weights, const float *x, int64_t n, int64_t in, const float *const *prototypes,
                          int64_t count, const int32_t *slots, const float *given, const float *choices, int64_t per_row) {
    if (n < 0 || in < 0 || per_row < 0) {
        return T2L_BAD_SIZE;
    }
    for (int64_t i = 0; i < n; i++) {
        for (int64_t s = i * per_row; s < (i + 1) * per_row && slots[s] >= 0; s++) {
            if (slots[s] >= count) {
                return T2L_BAD_INDEX;
            }
        }
    }
    route_job job = {weights, x, in, prototypes, slots, given, choices, per_row, split_items(e, n, 1, n * in * per_row)};
    run_split(e, &job.split, route_piece, &job);
    return T2L_OK;
}
