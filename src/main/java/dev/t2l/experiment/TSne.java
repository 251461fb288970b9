package dev.t2l.experiment;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Points on a plane whose neighbours are those that they had (t-SNE, van der Maaten and Hinton 2008), exact, O(n²) a step: made for up to a few thousand points.
 * The same distances and seed give the same picture. Settings as usual: early exaggeration 12 for 250 of 1,000 steps, momentum 0.5, then 0.8, gains,
 * learning rate max(n / 48, 50).
 *
 * <p>It is our own because what Maven Central offers is a single release of a Barnes-Hut approximation (bh-tsne 0.0.1), or part of a large library under the
 * GPL or AGPL, and because those want vectors, where adapters are known here by their distances alone.
 */
final class TSne {
    private static final int STEPS = 1000;
    private static final int EXAGGERATED = 250;
    private static final double EXAGGERATION = 12;
    private static final double TINY = 1e-12;

    private final double[][] p; // joint probabilities, symmetric
    private final int n;

    private TSne(double[][] p) {
        this.p = p;
        this.n = p.length;
    }

    /**
     * Lays points out.
     *
     * @param squared    squared distances [n, n], symmetric
     * @param perplexity how many neighbours count, about; at most (n - 1) / 3 is taken
     * @return [n, 2], with mean 0
     */
    static double[][] layout(double[][] squared, double perplexity, long seed) {
        int n = squared.length;
        if (n < 4) {
            throw new IllegalArgumentException("wanted four points at least, found " + n);
        }
        return new TSne(joint(squared, Math.min(perplexity, (n - 1) / 3.0))).descend(seed);
    }

    /** p[i][j] = (p(j | i) + p(i | j)) / 2n, with the width of each point's kernel so chosen that its perplexity is the one wanted. */
    static double[][] joint(double[][] squared, double perplexity) {
        int n = squared.length;
        double[][] conditional = IntStream.range(0, n).parallel().mapToObj(i -> conditional(squared[i], i, Math.log(perplexity))).toArray(double[][]::new);
        double[][] joint = new double[n][n];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                joint[i][j] = i == j ? 0 : Math.max((conditional[i][j] + conditional[j][i]) / (2 * n), TINY);
            }
        }
        return joint;
    }

    /** Bisects the precision until the entropy, in nats, is {@code wanted}. */
    private static double[] conditional(double[] squared, int self, double wanted) {
        double nearest = IntStream.range(0, squared.length).filter(j -> j != self).mapToDouble(j -> squared[j]).min().orElseThrow();
        double[] p = new double[squared.length];
        double low = 0;
        double high = Double.POSITIVE_INFINITY;
        double beta = 1;
        for (int step = 0; step < 100; step++) {
            double sum = 0;
            double weighted = 0;
            for (int j = 0; j < p.length; j++) {
                p[j] = j == self ? 0 : Math.exp(-beta * (squared[j] - nearest));
                sum += p[j];
                weighted += p[j] * (squared[j] - nearest);
            }
            double entropy = Math.log(sum) + beta * weighted / sum;
            for (int j = 0; j < p.length; j++) {
                p[j] /= sum;
            }
            if (Math.abs(entropy - wanted) < 1e-6) {
                break;
            }
            if (entropy > wanted) {
                low = beta;
                beta = Double.isInfinite(high) ? 2 * beta : (low + high) / 2;
            } else {
                high = beta;
                beta = (low + high) / 2;
            }
        }
        return p;
    }

    private double[][] descend(long seed) {
        var random = new SplittableRandom(seed);
        double[][] y = new double[n][2];
        for (double[] point : y) {
            Arrays.setAll(point, _ -> 1e-4 * random.nextGaussian());
        }
        double rate = Math.max(n / EXAGGERATION / 4, 50);
        double[][] velocity = new double[n][2];
        double[][] gains = new double[n][2];
        Arrays.stream(gains).forEach(gain -> Arrays.fill(gain, 1));
        for (int step = 0; step < STEPS; step++) {
            double[][] gradient = gradient(y, step < EXAGGERATED ? EXAGGERATION : 1);
            double momentum = step < EXAGGERATED ? 0.5 : 0.8;
            for (int i = 0; i < n; i++) {
                for (int k = 0; k < 2; k++) {
                    boolean turned = gradient[i][k] > 0 != velocity[i][k] > 0;
                    gains[i][k] = Math.max(0.01, turned ? gains[i][k] + 0.2 : gains[i][k] * 0.8);
                    velocity[i][k] = momentum * velocity[i][k] - rate * gains[i][k] * gradient[i][k];
                    y[i][k] += velocity[i][k];
                }
            }
            centre(y);
        }
        return y;
    }

    /** 4 Σ_j (exaggeration p - q) (y_i - y_j) / (1 + |y_i - y_j|²); each point's sum is taken in order, so that threads change no bit. */
    private double[][] gradient(double[][] y, double exaggeration) {
        double[] rows = IntStream.range(0, n).parallel().mapToDouble(i -> {
            double sum = 0;
            for (int j = 0; j < n; j++) {
                sum += j == i ? 0 : kernel(y[i], y[j]);
            }
            return sum;
        }).toArray();
        double all = 0;
        for (double row : rows) {
            all += row;
        }
        double total = all;
        return IntStream.range(0, n).parallel().mapToObj(i -> {
            double[] g = new double[2];
            for (int j = 0; j < n; j++) {
                if (j != i) {
                    double kernel = kernel(y[i], y[j]);
                    double pull = 4 * (exaggeration * p[i][j] - Math.max(kernel / total, TINY)) * kernel;
                    g[0] += pull * (y[i][0] - y[j][0]);
                    g[1] += pull * (y[i][1] - y[j][1]);
                }
            }
            return g;
        }).toArray(double[][]::new);
    }

    private static double kernel(double[] a, double[] b) {
        double x = a[0] - b[0];
        double y = a[1] - b[1];
        return 1 / (1 + x * x + y * y);
    }

    private static void centre(double[][] y) {
        for (int k = 0; k < 2; k++) {
            double mean = 0;
            for (double[] point : y) {
                mean += point[k] / y.length;
            }
            for (double[] point : y) {
                point[k] -= mean;
            }
        }
    }
}
