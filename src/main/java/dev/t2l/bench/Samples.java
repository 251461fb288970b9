package dev.t2l.bench;

import java.util.Arrays;

/** Times of the same thing, in milliseconds. */
public final class Samples {
    private final double[] sorted;

    /** @throws IllegalArgumentException if there is none */
    public Samples(double[] millis) {
        if (millis.length == 0) {
            throw new IllegalArgumentException("nothing was measured");
        }
        sorted = millis.clone();
        Arrays.sort(sorted);
    }

    public int count() {
        return sorted.length;
    }

    public double median() {
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    /** The least time that 99 of 100 do not exceed: the largest one below 100 samples. */
    public double p99() {
        return sorted[(int) Math.ceil(0.99 * sorted.length) - 1];
    }
}
