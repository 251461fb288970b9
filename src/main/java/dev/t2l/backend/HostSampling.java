package dev.t2l.backend;

import dev.t2l.tensor.Tensor;

/**
 * {@link Backend#sample} on the host. Probabilities are left unnormalised, the likeliest 1, and summed in double. What the filters keep
 * is a beginning of the tokens ordered by likelihood, so it is described by its last token; the draw then walks all tokens in the order of ids.
 * A thread reuses its scratch memory.
 */
final class HostSampling {
    private static final ThreadLocal<HostSampling> LOCAL = ThreadLocal.withInitial(HostSampling::new);

    private double[] value = new double[0]; // candidates' logits, then kept tokens' probabilities
    private int[] id = new int[0];          // their tokens
    private boolean worstFirst;             // order of the heap
    private float temperature;
    private float max;

    private HostSampling() {
    }

    static void sample(Tensor tokens, Tensor logits, Tensor choices) {
        HostSampling local = LOCAL.get();
        for (long row = 0; row < logits.rows(); row++) {
            tokens.setInt(row, local.choose(logits, row, choices));
        }
    }

    private int choose(Tensor logits, long row, Tensor choices) {
        int vocabulary = Math.toIntExact(logits.cols());
        long first = row * vocabulary;
        int best = 0;
        max = Float.NEGATIVE_INFINITY;
        for (int v = 0; v < vocabulary; v++) {
            float logit = logits.getFloat(first + v);
            if (logit != logit) {
                return -1;
            }
            if (logit > max) {
                max = logit;
                best = v;
            }
        }
        if (Float.isInfinite(max)) {
            return -1;
        }
        temperature = choices.getFloat(5 * row);
        return temperature > 0 ? draw(logits, first, vocabulary, choices, 5 * row + 1) : best;
    }

    private int draw(Tensor logits, long first, int vocabulary, Tensor choices, long choice) {
        int topK = (int) choices.getFloat(choice);
        float topP = choices.getFloat(choice + 1);
        double minP = Math.min(1, choices.getFloat(choice + 2));
        double u = choices.getFloat(choice + 3);
        if (value.length < vocabulary) {
            value = new double[vocabulary];
            id = new int[vocabulary];
        }
        double lastLogit = Double.NEGATIVE_INFINITY;
        int lastId = vocabulary;
        if (topK > 0 && topK < vocabulary || topP < 1) {
            int n = topK > 0 && topK < vocabulary ? likeliest(logits, first, vocabulary, topK) : all(logits, first, vocabulary);
            if (topP < 1) {
                reach(n, topP);
            }
            lastLogit = value[0];
            lastId = id[0];
        }
        double total = 0;
        int kept = 0;
        for (int v = 0; v < vocabulary; v++) {
            float logit = logits.getFloat(first + v);
            if (logit > lastLogit || logit == lastLogit && v <= lastId) {
                double p = probability(logit);
                if (p > 0 && !(p < minP)) {
                    total += p;
                    value[kept] = p;
                    id[kept++] = v;
                }
            }
        }
        double left = u * total;
        for (int i = 0; i < kept - 1; i++) {
            left -= value[i];
            if (left < 0) {
                return id[i];
            }
        }
        return id[kept - 1];
    }

    private double probability(double logit) {
        return Math.exp((logit - max) / temperature);
    }

    /** Makes a heap of the k likeliest tokens, the least likely of them on top. */
    private int likeliest(Tensor logits, long first, int vocabulary, int k) {
        worstFirst = true;
        for (int v = 0; v < k; v++) {
            value[v] = logits.getFloat(first + v);
            id[v] = v;
        }
        order(k);
        for (int v = k; v < vocabulary; v++) {
            float logit = logits.getFloat(first + v);
            if (logit > value[0]) { // of equals, the one with the lower id is there already
                value[0] = logit;
                id[0] = v;
                sink(0, k);
            }
        }
        return k;
    }

    private int all(Tensor logits, long first, int vocabulary) {
        for (int v = 0; v < vocabulary; v++) {
            value[v] = logits.getFloat(first + v);
            id[v] = v;
        }
        return vocabulary;
    }

    /** Brings the last of the fewest likeliest of n candidates that reach topP of their sum to the top. */
    private void reach(int n, float topP) {
        double total = 0;
        for (int i = 0; i < n; i++) {
            total += probability(value[i]);
        }
        worstFirst = false;
        order(n);
        double reached = probability(value[0]);
        while (reached < topP * total && n > 1) {
            swap(0, --n);
            sink(0, n);
            reached += probability(value[0]);
        }
    }

    private void order(int n) {
        for (int i = n / 2 - 1; i >= 0; i--) {
            sink(i, n);
        }
    }

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
        return worstFirst != (value[a] > value[b] || value[a] == value[b] && id[a] < id[b]);
    }

    private void swap(int a, int b) {
        double v = value[a];
        value[a] = value[b];
        value[b] = v;
        int t = id[a];
        id[a] = id[b];
        id[b] = t;
    }
}
