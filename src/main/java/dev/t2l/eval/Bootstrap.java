package dev.t2l.eval;

import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * Confidence intervals of a mean over tasks: tasks are drawn with replacement, as many as there are, {@value #SAMPLES} times; the interval holds the
 * middle 95 % of the means (percentile bootstrap, Efron 1979). Paired: of the differences of two columns on the same tasks.
 */
public final class Bootstrap {
    static final int SAMPLES = 10_000;

    /** From {@code low} to {@code high}. */
    record Interval(double low, double high) {
    }

    private Bootstrap() {
    }

    /** The interval of the mean of {@code values}, at least one; the same for the same seed. */
    static Interval ofMean(double[] values, long seed) {
        var random = new SplittableRandom(seed);
        double[] means = new double[SAMPLES];
        for (int s = 0; s < SAMPLES; s++) {
            double sum = 0;
            for (int i = 0; i < values.length; i++) {
                sum += values[random.nextInt(values.length)];
            }
            means[s] = sum / values.length;
        }
        Arrays.sort(means);
        return new Interval(quantile(means, 0.025), quantile(means, 0.975));
    }

    /** Linear between the two nearest of sorted values. */
    public static double quantile(double[] sorted, double share) {
        double at = share * (sorted.length - 1);
        int below = (int) at;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
    }
}
