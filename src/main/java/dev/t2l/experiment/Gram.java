package dev.t2l.experiment;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * The inner products of things: all of their geometry, without the things.
 *
 * @param products symmetric, [n][n]
 */
record Gram(double[][] products) {
    /** Of vectors of one length. */
    static Gram of(float[][] vectors) {
        int n = vectors.length;
        return new Gram(IntStream.range(0, n).parallel().mapToObj(i -> IntStream.range(0, n).mapToDouble(j -> dot(vectors[i], vectors[j])).toArray()).toArray(double[][]::new));
    }

    private static double dot(float[] a, float[] b) {
        double sum = 0;
        for (int k = 0; k < a.length; k++) {
            sum += (double) a[k] * b[k];
        }
        return sum;
    }

    /** Of the things less their mean, which all of them share and which hides what they differ in. */
    Gram centred() {
        int n = products.length;
        double[] mean = Arrays.stream(products).mapToDouble(row -> Arrays.stream(row).average().orElse(0)).toArray();
        double all = Arrays.stream(mean).average().orElse(0);
        return new Gram(IntStream.range(0, n).mapToObj(i -> IntStream.range(0, n).mapToDouble(j -> products[i][j] - mean[i] - mean[j] + all).toArray()).toArray(double[][]::new));
    }

    /** Of the means of groups of the things. */
    Gram means(int[] group) {
        return new Gram(between(products, group));
    }

    /** From -1 to 1; 0 beside a thing of length 0. */
    double[][] cosines() {
        int n = products.length;
        return IntStream.range(0, n).mapToObj(i -> IntStream.range(0, n).mapToDouble(j -> {
            double lengths = Math.sqrt(Math.max(0, products[i][i]) * Math.max(0, products[j][j]));
            return lengths == 0 ? 0 : Math.clamp(products[i][j] / lengths, -1, 1);
        }).toArray()).toArray(double[][]::new);
    }

    /** 1 - cosine: half the squared distance of the things, each of length 1. */
    double[][] distances() {
        double[][] cosines = cosines();
        for (int i = 0; i < cosines.length; i++) {
            for (int j = 0; j < cosines.length; j++) {
                cosines[i][j] = i == j ? 0 : 1 - cosines[i][j];
            }
        }
        return cosines;
    }

    /**
     * The mean over pairs of a thing of one group and a thing of another.
     *
     * @param group of each thing, from 0
     * @return [groups][groups]
     */
    static double[][] between(double[][] values, int[] group) {
        int groups = Arrays.stream(group).max().orElse(-1) + 1;
        double[][] sums = new double[groups][groups];
        int[][] counts = new int[groups][groups];
        for (int i = 0; i < group.length; i++) {
            for (int j = 0; j < group.length; j++) {
                sums[group[i]][group[j]] += values[i][j];
                counts[group[i]][group[j]]++;
            }
        }
        for (int a = 0; a < groups; a++) {
            for (int b = 0; b < groups; b++) {
                sums[a][b] /= counts[a][b];
            }
        }
        return sums;
    }
}
