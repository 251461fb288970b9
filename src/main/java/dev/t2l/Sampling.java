package dev.t2l;

import java.util.List;

/**
 * How the next token is chosen, and when to stop.
 *
 * <p>The filters act in this order, as in transformers: temperature, top-k, top-p, min-p; then one draw from a generator seeded
 * with {@code seed}. The same seed gives the same text, whatever else runs beside it.
 *
 * @param temperature logits are divided by it; 0 takes the most likely token (of equals, the lowest id)
 * @param topK        keep the k most likely tokens; 0 = all
 * @param topP        keep the fewest most likely tokens whose probabilities reach p; 1 = all
 * @param minP        keep tokens at least p times as likely as the most likely one; 0 = all
 * @param maxTokens   generate no more than this
 * @param stop        end before the first of these strings that the text completes
 */
public record Sampling(float temperature, int topK, float topP, float minP, long seed, int maxTokens, List<String> stop) {
    private static final int MAX_TOKENS = 512;

    public Sampling {
        require(temperature >= 0 && temperature < Float.POSITIVE_INFINITY, "temperature", temperature, "0 or more");
        require(topK >= 0, "topK", topK, "0 (all) or more");
        require(topP > 0 && topP <= 1, "topP", topP, "above 0, at most 1");
        require(minP >= 0 && minP <= 1, "minP", minP, "0 to 1");
        require(maxTokens >= 0, "maxTokens", maxTokens, "0 or more");
        stop = List.copyOf(stop);
        if (stop.contains("")) {
            throw new IllegalArgumentException("an empty stop sequence would stop at once");
        }
    }

    private static void require(boolean holds, String name, Number got, String wanted) {
        if (!holds) {
            throw new IllegalArgumentException(name + " must be " + wanted + ", is " + got);
        }
    }

    /** Always the most likely token; at most 512 of them. */
    public static Sampling greedy() {
        return new Sampling(0, 0, 1, 0, 0, MAX_TOKENS, List.of());
    }

    /** Draws from the whole distribution at a temperature; at most 512 tokens. */
    public static Sampling temperature(double temperature, long seed) {
        return new Sampling((float) temperature, 0, 1, 0, seed, MAX_TOKENS, List.of());
    }

    public Sampling withTopK(int k) {
        return new Sampling(temperature, k, topP, minP, seed, maxTokens, stop);
    }

    public Sampling withTopP(double p) {
        return new Sampling(temperature, topK, (float) p, minP, seed, maxTokens, stop);
    }

    public Sampling withMinP(double p) {
        return new Sampling(temperature, topK, topP, (float) p, seed, maxTokens, stop);
    }

    public Sampling withMaxTokens(int n) {
        return new Sampling(temperature, topK, topP, minP, seed, n, stop);
    }

    public Sampling withStop(String... strings) {
        return new Sampling(temperature, topK, topP, minP, seed, maxTokens, List.of(strings));
    }
}
