package dev.t2l.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Chooses a token from logits on the host, without allocating. One a sequence; not thread-safe.
 *
 * <p>Order of the filters, as in transformers: temperature, top-k, top-p, min-p.
 */
public final class Sampler {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT;

    private final float temperature;
    private final int topK;
    private final float topP;
    private final float minP;
    private final float[] weight; // unnormalised probabilities of the candidates
    private final int[] id;       // their tokens
    private long state;

    /** See {@code dev.t2l.Sampling} for the parameters. */
    public Sampler(int vocabulary, float temperature, int topK, float topP, float minP, long seed) {
        this.temperature = temperature;
        this.topK = topK;
        this.topP = topP;
        this.minP = minP;
        boolean greedy = temperature == 0;
        weight = new float[greedy ? 0 : vocabulary];
        id = new int[greedy ? 0 : vocabulary];
        state = seed;
    }

    /**
     * @param logits f32 [vocabulary], host memory
     * @throws ArithmeticException if a logit is NaN or they are all infinite
     */
    public int sample(MemorySegment logits, long offset, int vocabulary) {
        int best = 0;
        float max = Float.NEGATIVE_INFINITY;
        boolean nan = false;
        for (int v = 0; v < vocabulary; v++) {
            float logit = logits.get(F32, offset + 4L * v);
            nan |= logit != logit;
            if (logit > max) {
                max = logit;
                best = v;
            }
        }
        if (nan || Float.isInfinite(max)) {
            throw new ArithmeticException("logits hold " + (nan ? "NaN" : "infinities") + ": the weights or the adapter are broken");
        }
        return temperature == 0 ? best : draw(logits, offset, vocabulary, max);
    }

    private int draw(MemorySegment logits, long offset, int vocabulary, float max) {
        // Tokens less likely than minP times the best, or than 1e-30 of it, can be left out before sorting: no filter keeps them alive.
        double floor = Math.max(minP, 1e-30);
        float least = (float) (max + temperature * Math.log(floor)) - 1e-3f;
        int n = 0;
        for (int v = 0; v < vocabulary; v++) {
            float logit = logits.get(F32, offset + 4L * v);
            if (logit >= least || topP < 1) {
                weight[n] = (float) Math.exp((logit - max) / temperature);
                id[n++] = v;
            }
        }
        if (topK > 0 || topP < 1) {
            n = nucleus(n);
        }
        double total = 0;
        int kept = 0;
        for (int i = 0; i < n; i++) {
            if (weight[i] >= minP) {
                total += weight[i];
                weight[kept] = weight[i];
                id[kept++] = id[i];
            }
        }
        double u = next() * total;
        for (int i = 0; i < kept; i++) {
            u -= weight[i];
            if (u < 0) {
                return id[i];
            }
        }
        return id[kept - 1];
    }

    /** Moves the candidates that top-k and then top-p keep to the front, most likely first; how many. */
    private int nucleus(int n) {
        double total = 0;
        for (int i = 0; i < n; i++) {
            total += weight[i];
        }
        for (int i = n / 2 - 1; i >= 0; i--) {
            sink(i, n);
        }
        int limit = topK > 0 ? Math.min(topK, n) : n;
        int taken = 0;
        double reached = 0;
        while (taken < limit && (topK > 0 || reached < topP * total)) {
            reached += weight[0];
            swap(0, n - 1 - taken);
            taken++;
            sink(0, n - taken);
        }
        reverseTail(n, taken);
        if (topK == 0 || topP >= 1) {
            return taken;
        }
        double wanted = topP * reached; // top-p looks at the distribution that top-k leaves
        reached = 0;
        int kept = 0;
        while (kept < taken && reached < wanted) {
            reached += weight[kept++];
        }
        return kept;
    }

    /** The last {@code count} of n candidates, ascending, become the first ones, descending. */
    private void reverseTail(int n, int count) {
        for (int i = 0; i < Math.min(count, n / 2); i++) {
            swap(i, n - 1 - i);
        }
    }

    /** Restores the heap (largest weight on top; of equals, the lowest id) below {@code i}. */
    private void sink(int i, int n) {
        while (2 * i + 1 < n) {
            int child = 2 * i + 1;
            if (child + 1 < n && before(child + 1, child)) {
                child++;
            }
            if (!before(child, i)) {
                return;
            }
            swap(i, child);
            i = child;
        }
    }

    private boolean before(int a, int b) {
        return weight[a] > weight[b] || weight[a] == weight[b] && id[a] < id[b];
    }

    private void swap(int a, int b) {
        float w = weight[a];
        weight[a] = weight[b];
        weight[b] = w;
        int t = id[a];
        id[a] = id[b];
        id[b] = t;
    }

    /** Uniform in [0, 1): SplitMix64 (Steele et al. 2014), 53 bits. */
    private double next() {
        state += 0x9e3779b97f4a7c15L;
        long z = (state ^ state >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return ((z ^ z >>> 31) >>> 11) * 0x1p-53;
    }
}
