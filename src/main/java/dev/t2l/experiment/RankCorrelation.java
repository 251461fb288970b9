package dev.t2l.experiment;

import java.util.ArrayList;
import dev.t2l.eval.Bootstrap;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Spearman's rank correlation, equal values having the mean of their ranks, with the middle 95 % of what it is when groups of points are drawn with
 * replacement (percentile bootstrap, {@value #SAMPLES} samples; Efron 1979). Points of one group, such as the descriptions of a task, are drawn
 * together: they are no evidence of their own.
 *
 * @param rho    from -1 to 1; NaN if one of the two never varies
 * @param low    where the interval begins; NaN as {@code rho}
 * @param points that it is of
 */
record RankCorrelation(double rho, double low, double high, int points) {
    static final int SAMPLES = 1000;

    /** Of pairs {@code x[i], y[i]}. */
    static double spearman(double[] x, double[] y) {
        return pearson(ranks(x), ranks(y));
    }

    /**
     * Of points.
     *
     * @param group of each point, from 0
     */
    static RankCorrelation ofPoints(double[] x, double[] y, int[] group, long seed) {
        int groups = groups(group);
        int[][] members = IntStream.range(0, groups).mapToObj(g -> IntStream.range(0, group.length).filter(i -> group[i] == g).toArray()).toArray(int[][]::new);
        return sampled(spearman(x, y), x.length, groups, seed, drawn -> {
            int[] points = Arrays.stream(drawn).flatMap(g -> Arrays.stream(members[g])).toArray();
            return spearman(at(x, points), at(y, points));
        });
    }

    /** Of the pairs of things, each pair once, of two symmetric matrices; things are drawn, and pairs of a thing with itself left out. */
    static RankCorrelation ofPairs(double[][] x, double[][] y, long seed) {
        int[] all = IntStream.range(0, x.length).toArray();
        double[] above = pairs(x, all);
        return sampled(spearman(above, pairs(y, all)), above.length, x.length, seed, drawn -> spearman(pairs(x, drawn), pairs(y, drawn)));
    }

    /** Adds a row: what was said of it, then rho, its interval, and the number of points; without the first three where something never varied. */
    void addTo(Table table, String... what) {
        List<Object> row = new ArrayList<>(List.of(what));
        for (double value : new double[] {rho, low, high}) {
            row.add(Double.isNaN(value) ? null : value);
        }
        row.add(points);
        table.add(row.toArray());
    }

    private interface Statistic {
        double of(int[] drawn);
    }

    private static RankCorrelation sampled(double rho, int points, int groups, long seed, Statistic statistic) {
        var random = new SplittableRandom(seed);
        int[][] drawn = new int[SAMPLES][];
        for (int s = 0; s < SAMPLES; s++) {
            drawn[s] = random.ints(groups, 0, groups).toArray();
        }
        double[] found = Arrays.stream(drawn).parallel().mapToDouble(statistic::of).filter(Double::isFinite).sorted().toArray();
        return Double.isNaN(rho) || found.length == 0 ? new RankCorrelation(Double.NaN, Double.NaN, Double.NaN, points)
                : new RankCorrelation(rho, Bootstrap.quantile(found, 0.025), Bootstrap.quantile(found, 0.975), points);
    }

    private static double[] pairs(double[][] matrix, int[] things) {
        return IntStream.range(0, things.length).boxed().flatMapToDouble(i -> IntStream.range(i + 1, things.length)
                .filter(j -> things[i] != things[j]).mapToDouble(j -> matrix[things[i]][things[j]])).toArray();
    }

    private static double[] at(double[] values, int[] points) {
        return Arrays.stream(points).mapToDouble(i -> values[i]).toArray();
    }

    private static int groups(int[] group) {
        return Arrays.stream(group).max().orElse(-1) + 1;
    }

    /** From 1; of equal values the mean of theirs. */
    static double[] ranks(double[] values) {
        int n = values.length;
        int[] order = IntStream.range(0, n).boxed().sorted(Comparator.comparingDouble(i -> values[i])).mapToInt(Integer::intValue).toArray();
        double[] ranks = new double[n];
        for (int from = 0, to; from < n; from = to) {
            to = from + 1;
            while (to < n && values[order[to]] == values[order[from]]) {
                to++;
            }
            for (int k = from; k < to; k++) {
                ranks[order[k]] = (from + 1 + to) / 2.0;
            }
        }
        return ranks;
    }

    private static double pearson(double[] x, double[] y) {
        double meanX = Arrays.stream(x).average().orElse(0);
        double meanY = Arrays.stream(y).average().orElse(0);
        double xy = 0;
        double xx = 0;
        double yy = 0;
        for (int i = 0; i < x.length; i++) {
            xy += (x[i] - meanX) * (y[i] - meanY);
            xx += (x[i] - meanX) * (x[i] - meanX);
            yy += (y[i] - meanY) * (y[i] - meanY);
        }
        return xx == 0 || yy == 0 ? Double.NaN : xy / Math.sqrt(xx * yy);
    }
}
