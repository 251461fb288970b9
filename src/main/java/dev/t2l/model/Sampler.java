package dev.t2l.model;

import dev.t2l.tensor.Tensor;

/** How one sequence's tokens are chosen ({@link dev.t2l.ops.Sample}), and its random numbers. One a sequence; not thread-safe. */
public final class Sampler {
    private final float temperature;
    private final int topK;
    private final float topP;
    private final float minP;
    private long state;

    /** See {@code dev.t2l.Sampling} for the parameters. */
    public Sampler(float temperature, int topK, float topP, float minP, long seed) {
        this.temperature = temperature;
        this.topK = topK;
        this.topP = topP;
        this.minP = minP;
        state = seed;
    }

    /** Always the most likely token. */
    public static Sampler greedy() {
        return new Sampler(0, 0, 1, 0, 0);
    }

    /**
     * Writes the choice of the next token; takes a random number unless greedy.
     *
     * @param choices host f32 [m, 5]
     */
    public void next(Tensor choices, long row) {
        write(choices, row, temperature, topK, topP, minP, temperature == 0 ? 0 : uniform());
    }

    /** Writes the choice of the most likely token. */
    static void greedy(Tensor choices, long row) {
        write(choices, row, 0, 0, 1, 0, 0);
    }

    private static void write(Tensor choices, long row, float temperature, float topK, float topP, float minP, float u) {
        long at = row * choices.cols();
        choices.setFloat(at, temperature);
        choices.setFloat(at + 1, topK);
        choices.setFloat(at + 2, topP);
        choices.setFloat(at + 3, minP);
        choices.setFloat(at + 4, u);
    }

    /** In [0, 1): SplitMix64 (Steele et al. 2014), 24 bits. */
    private float uniform() {
        state += 0x9e3779b97f4a7c15L;
        long z = (state ^ state >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return ((z ^ z >>> 31) >>> 40) * 0x1p-24f;
    }
}
