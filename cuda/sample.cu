/*
 * tokens[i] = a token chosen from logits[i, :] as choices[i, :] says: temperature, topK, topP, minP, u (Backend.sample).
 *
 * Bytes: 4 a logit, read again from the caches for each pass over the row: one for the largest; for topK and for topP two to three
 * each; two to draw. grid = (8, rows), 1024 threads: a row is a cluster of 8 blocks, a warp takes a run of consecutive ids.
 *
 * Probabilities are relative to the likeliest's and fixed-point, in units of 2^-43, so sums are exact and the same in any order: that
 * lets histograms be filled by atomic additions. They are off by some 2e-7 of themselves. What topK and topP keep is a beginning
 * of the tokens in their order, which is that of `place`s: larger logits first, of equals the lower id. A filter finds the last
 * place that it keeps by histograms (counts and masses): first over equal steps of the logits, then over ever finer parts of the bin where
 * the boundary lies, until that holds one token or ends at the boundary.
 */
#include "cluster.cuh"

enum { THREADS = 1024, WARPS = THREADS / WARP, BLOCKS = 8, BINS = THREADS, ID_BITS = 20, SCALE = 43, MANTISSA = 24 };

struct histogram {
    uint32_t count[BINS], low[BINS], high[BINS];
};

/* What blocks tell each other or their threads. Two histograms: the next is cleared while slower blocks read the last. */
struct board {
    histogram bins[2];
    uint64_t warp_mass[WARPS], before;
    uint32_t warp_least[WARPS], warp_broken[WARPS], found, ends;
};

/* Floats as integers of the same order; -0 becomes 0 first. */
INLINE uint32_t ordered(float v) {
    uint32_t u = __float_as_uint(v + 0.0f);
    return u >> 31 ? ~u : u | 0x80000000u;
}

INLINE float value_of(uint32_t key) {
    return __uint_as_float(key >> 31 ? key & 0x7fffffffu : ~key);
}

INLINE uint64_t place_of(float logit, int id) {
    return (uint64_t)ordered(logit) << ID_BITS | (uint32_t)((1 << ID_BITS) - 1 - id);
}

INLINE int id_at(uint64_t place) {
    return (1 << ID_BITS) - 1 - (int)(place & ((1 << ID_BITS) - 1));
}

/* A row, its largest logit, and what makes probabilities and first bins of logits. */
struct row_of_logits {
    const float *logits;
    int first, end; /* the calling warp's ids */
    float max, rate, rate_rest, step;

    /* log2(e) / temperature as a sum of two floats; bins over all logits, or those within exp(-48) of the likeliest. */
    __device__ __forceinline__ void heat(float temperature, float min) {
        double exact = 1.4426950408889634 / temperature;
        rate = (float)exact;
        rate_rest = isinf(rate) ? 0 : (float)(exact - rate);
        step = fminf(BINS / fminf(max - min, 48 * temperature), 3e38f);
    }

    __device__ __forceinline__ int bin(float logit) const {
        return (int)fminf((max - logit) * step, BINS - 1);
    }

    /* exp((logit - max) / temperature): the product's and the difference's rounding is carried along. */
    __device__ __forceinline__ uint64_t mass(float logit) const {
        float difference = __fadd_rn(logit, -max);
        if (difference == 0) {
            return (uint64_t)1 << SCALE;
        }
        float power = __fmul_rn(difference, rate);
        if (!(power > -SCALE - 2)) {
            return 0;
        }
        float back = __fadd_rn(difference, max);
        float rest = __fadd_rn(__fadd_rn(logit, -back), -__fadd_rn(max, -__fadd_rn(back, -difference)));
        rest = fmaf(rest, rate, fmaf(difference, rate_rest, fmaf(difference, rate, -power)));
        float whole = rintf(power);
        uint64_t mantissa = (uint64_t)(exp2f(power - whole + rest) * (1 << MANTISSA));
        return mantissa << (SCALE - MANTISSA) >> (int)-whole;
    }

    /* f(id, logit) for the warp's ids in steps of a warp; lanes beyond the end have nothing to do. */
    template <typename F> __device__ __forceinline__ void each(F f) const {
#pragma unroll 8
        for (int id = first + threadIdx.x % WARP; id < end; id += WARP) {
            f(id, logits[id]);
        }
    }
};

template <typename T> INLINE T warp_scan(T v) {
    int lane = threadIdx.x % WARP;
    for (int step = 1; step < WARP; step *= 2) {
        T other = __shfl_sync(~0u, v, max(lane - step, 0));
        v += lane >= step ? other : 0;
    }
    return v;
}

INLINE void count_in(histogram &h, int bin, uint64_t mass) {
    atomicAdd(&h.count[bin], 1u);
    uint32_t low = (uint32_t)mass, high = (uint32_t)(mass >> 32);
    if (low != 0) {
        high += atomicAdd(&h.low[bin], low) > ~low;
    }
    if (high != 0) {
        atomicAdd(&h.high[bin], high);
    }
}

/* The histogram's bin that a filter's boundary lies in, and what comes before it; the same in all threads. */
struct boundary {
    uint64_t before; /* of what is wanted, in the bins before */
    int bin;
    bool whole; /* all of the bin is kept */
};

/*
 * Adds the blocks' histograms up and finds the bin where the running sum of counts, or of masses, reaches `wanted`; where topP is at
 * least 0, wanted becomes that part of the whole mass.
 */
INLINE boundary find(board &b, int turn, bool counts, uint64_t &wanted, float topP) {
    cluster_sync();
    int bin = threadIdx.x, lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    histogram &h = b.bins[turn];
    uint32_t count = 0;
    uint64_t mass = 0;
    for (int r = 0; r < cluster_size(); r++) {
        count += peer(&h.count[bin], r);
        mass += peer(&h.low[bin], r) + ((uint64_t)peer(&h.high[bin], r) << 32);
    }
    histogram &next = b.bins[1 - turn];
    next.count[bin] = next.low[bin] = next.high[bin] = 0;
    uint64_t mine = counts ? count : mass;
    uint64_t sum = warp_scan(mine);
    if (lane == WARP - 1) {
        b.warp_mass[warp] = sum;
    }
    __syncthreads();
    uint64_t whole = 0;
    for (int w = 0; w < WARPS; w++) {
        sum += w < warp ? b.warp_mass[w] : 0;
        whole += b.warp_mass[w];
    }
    if (topP >= 0) {
        wanted = max((uint64_t)ceil((double)topP * (double)whole), (uint64_t)1);
    }
    if (sum >= wanted && sum - mine < wanted) {
        b.before = sum - mine;
        b.found = (uint32_t)bin;
        b.ends = count == 1 || sum == wanted;
    }
    __syncthreads();
    return {b.before, (int)b.found, b.ends != 0};
}

/* The first key, of those up to the largest logit's, whose logits are in this bin or one before. */
INLINE uint32_t first_key(const row_of_logits &row, int bin) {
    uint32_t low = ordered(-INFINITY), high = ordered(row.max);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (row.bin(value_of(middle)) <= bin) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* The last place that a filter keeps of those not before `bottom`: `wanted` of them, or the fewest that have topP of their mass. */
INLINE uint64_t filter(board &b, int &turn, const row_of_logits &row, uint64_t bottom, uint64_t wanted, float topP) {
    bool counts = topP < 0;
    uint32_t far = 0; /* those without mass in the last bin, which may be most */
    row.each([&](int id, float logit) {
        if (place_of(logit, id) >= bottom) {
            int bin = row.bin(logit);
            uint64_t mass = row.mass(logit);
            if (bin == BINS - 1 && mass == 0) {
                far++;
            } else {
                count_in(b.bins[turn], bin, mass);
            }
        }
    });
    far = warp_sum(far);
    if (threadIdx.x % WARP == 0) {
        atomicAdd(&b.bins[turn].count[BINS - 1], far);
    }
    boundary at = find(b, turn, counts, wanted, topP);
    uint64_t low = max((uint64_t)first_key(row, at.bin) << ID_BITS, bottom);
    uint64_t high = ((at.bin == 0 ? (uint64_t)ordered(row.max) + 1 : first_key(row, at.bin - 1)) << ID_BITS) - 1;
    while (!at.whole) {
        turn = 1 - turn;
        wanted -= at.before;
        int shift = 0;
        while ((high - low) >> shift >= BINS) {
            shift++;
        }
        row.each([&](int id, float logit) {
            uint64_t place = place_of(logit, id);
            if (place >= low && place <= high) {
                count_in(b.bins[turn], (int)((high - place) >> shift), row.mass(logit));
            }
        });
        at = find(b, turn, counts, wanted, -1);
        high -= (uint64_t)at.bin << shift;
        low = max(low, high - (((uint64_t)1 << shift) - 1));
    }
    turn = 1 - turn;
    return low;
}

/* The token at which the running sum of kept masses passes u times their whole: the lane that meets it writes it. */
INLINE void draw(board &b, const row_of_logits &row, uint64_t bottom, float minP, float u, int *token) {
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    uint64_t least = max((uint64_t)ceil((double)fminf(minP, 1) * ((uint64_t)1 << SCALE)), (uint64_t)1);
    auto kept = [&](int id, float logit) {
        uint64_t mass = place_of(logit, id) >= bottom ? row.mass(logit) : 0;
        return mass >= least ? mass : 0;
    };
    uint64_t sum = 0;
    row.each([&](int id, float logit) { sum += kept(id, logit); });
    sum = warp_sum(sum);
    if (lane == 0) {
        b.warp_mass[warp] = sum;
    }
    cluster_sync();
    uint64_t whole = 0, before = 0;
    for (int r = 0; r < cluster_size(); r++) {
        uint64_t theirs = peer(&b.warp_mass[lane], r);
        before += r < cluster_rank() || (r == cluster_rank() && lane < warp) ? theirs : 0;
        whole += theirs;
    }
    before = warp_sum(before);
    whole = warp_sum(whole);
    uint64_t passed = min((uint64_t)((double)u * (double)whole), whole - 1);
    if (passed < before || passed - before >= sum) {
        return;
    }
    for (int at = row.first; at < row.end; at += WARP) {
        int id = at + lane;
        uint64_t mine = id < row.end ? kept(id, row.logits[id]) : 0;
        uint64_t running = before + warp_scan(mine);
        if (running > passed && running - mine <= passed) {
            *token = id;
        }
        before = __shfl_sync(~0u, running, WARP - 1);
        if (before > passed) {
            return;
        }
    }
}

/* The row's first largest logit, least finite one, and whether one is NaN, over all blocks; false if there is nothing to choose. */
INLINE bool survey(board &b, row_of_logits &row, uint64_t &best, float &min) {
    best = 0;
    uint32_t bottom = ~0u;
    uint32_t broken = 0;
    row.each([&](int id, float logit) {
        best = max(best, place_of(logit, id));
        bottom = logit > -INFINITY ? ::min(bottom, ordered(logit)) : bottom;
        broken |= logit != logit;
    });
    for (int step = WARP / 2; step > 0; step /= 2) {
        best = max(best, __shfl_xor_sync(~0u, best, step));
        bottom = ::min(bottom, __shfl_xor_sync(~0u, bottom, step));
        broken |= __shfl_xor_sync(~0u, broken, step);
    }
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    if (lane == 0) {
        b.warp_mass[warp] = best;
        b.warp_least[warp] = bottom;
        b.warp_broken[warp] = broken;
    }
    cluster_sync();
    for (int r = 0; r < cluster_size(); r++) {
        best = max(best, peer(&b.warp_mass[lane], r));
        bottom = ::min(bottom, peer(&b.warp_least[lane], r));
        broken |= peer(&b.warp_broken[lane], r);
    }
    for (int step = WARP / 2; step > 0; step /= 2) {
        best = max(best, __shfl_xor_sync(~0u, best, step));
        bottom = ::min(bottom, __shfl_xor_sync(~0u, bottom, step));
        broken |= __shfl_xor_sync(~0u, broken, step);
    }
    cluster_sync(); /* all have read */
    row.max = value_of((uint32_t)(best >> ID_BITS));
    min = value_of(bottom);
    return !broken && !isinf(row.max);
}

KERNEL CLUSTER(BLOCKS) __launch_bounds__(THREADS) sample(int *tokens, const float *logits, int64_t n, const float *choices) {
    __shared__ board b;
    if (cluster_idle()) {
        return;
    }
    const float *choice = choices + 5 * (int64_t)blockIdx.y;
    int warps = cluster_size() * WARPS, warp = cluster_rank() * WARPS + threadIdx.x / WARP;
    int64_t run = ceil_div(ceil_div(n, warps), WARP) * WARP;
    row_of_logits row;
    row.logits = logits + blockIdx.y * n;
    row.first = (int)min(warp * run, n);
    row.end = (int)min(row.first + run, n);
    uint64_t best;
    float min;
    bool sound = survey(b, row, best, min);
    float temperature = choice[0];
    int *token = tokens + blockIdx.y;
    if (!sound || !(temperature > 0)) {
        if (cluster_rank() == 0 && threadIdx.x == 0) {
            *token = sound ? id_at(best) : -1;
            __threadfence_system(); /* it may be the host's memory */
        }
        return;
    }
    row.heat(temperature, min);
    int topK = (int)fminf(fmaxf(choice[1], 0), 1 << ID_BITS);
    int turn = 0;
    for (int i = threadIdx.x; i < BINS; i += THREADS) {
        b.bins[0].count[i] = b.bins[0].low[i] = b.bins[0].high[i] = 0;
    }
    __syncthreads();
    uint64_t bottom = 0;
    if (topK > 0 && topK < n) {
        bottom = filter(b, turn, row, bottom, (uint64_t)topK, -1);
    }
    float topP = choice[2];
    if (topP < 1) {
        bottom = filter(b, turn, row, bottom, 0, fmaxf(topP, 0));
    }
    draw(b, row, bottom, choice[3], choice[4], token);
    __threadfence_system();
    cluster_sync(); /* none leaves while another reads its memory */
}
