package dev.t2l.experiment;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Similarities, silhouettes and the map of neighbours, by numbers that can be computed by hand. */
class GeometryTest {
    private static final double CLOSE = 1e-9;

    @Test
    void cosinesOfThingsAndOfWhatTheyDifferIn() {
        Gram gram = Gram.of(new float[][] {{3, 4}, {4, 3}, {0, 0}});
        assertArrayEquals(new double[] {25, 24, 0}, gram.products()[0], CLOSE);
        assertArrayEquals(new double[] {1, 0.96, 0}, gram.cosines()[0], CLOSE);
        assertArrayEquals(new double[] {0, 0.04, 1}, gram.distances()[0], CLOSE);
        // less their mean (1, 3), two things lie on either side of it
        assertEquals(-1, Gram.of(new float[][] {{2, 3}, {0, 3}}).centred().cosines()[0][1], CLOSE);
        assertArrayEquals(new double[] {1, 0}, Gram.of(new float[][] {{2, 3}, {0, 3}}).centred().products()[0], 1 + CLOSE);
    }

    @Test
    void meansBetweenGroups() {
        double[][] values = {{1, 2, 3}, {2, 1, 5}, {3, 5, 1}};
        double[][] means = Gram.between(values, new int[] {0, 0, 1});
        assertArrayEquals(new double[] {1.5, 4}, means[0], CLOSE);
        assertArrayEquals(new double[] {4, 1}, means[1], CLOSE);
    }

    @Test
    void adaptersAreComparedByWhatTheyAddToTheWeights() {
        var random = new SplittableRandom(3);
        List<LoraWeights> adapters = List.of(adapter(random, 2), adapter(random, 3), adapter(random, 2));
        Gram gram;
        try (Backend backend = Backend.open("java")) {
            gram = AdapterGram.of(adapters, backend);
        }
        for (int i = 0; i < 3; i++) {
            for (int j = 0; j < 3; j++) {
                double wanted = 0;
                for (Site site : adapters.get(i).pairs().keySet()) {
                    double[] a = delta(adapters.get(i).pairs().get(site));
                    double[] b = delta(adapters.get(j).pairs().get(site));
                    wanted += IntStream.range(0, a.length).mapToDouble(k -> a[k] * b[k]).sum();
                }
                assertEquals(wanted, gram.products()[i][j], 1e-4 * Math.max(1, Math.abs(wanted)), i + ", " + j);
            }
        }
    }

    @Test
    void adaptersOfDifferentPlacesAreNotCompared() {
        var random = new SplittableRandom(4);
        LoraWeights whole = adapter(random, 2);
        var part = new LoraWeights(Map.of(new Site(0, Projection.Q), whole.at(0, Projection.Q)));
        try (Backend backend = Backend.open("java")) {
            assertThrows(IllegalArgumentException.class, () -> AdapterGram.of(List.of(whole, part), backend));
            assertThrows(IllegalArgumentException.class, () -> AdapterGram.of(List.of(part, whole), backend));
        }
    }

    private static LoraWeights adapter(SplittableRandom random, int rank) {
        Map<Site, Pair> pairs = new HashMap<>();
        for (int layer = 0; layer < 2; layer++) {
            pairs.put(new Site(layer, Projection.Q), new Pair(normal(random, rank, 5), normal(random, 4, rank), 0.5f));
            pairs.put(new Site(layer, Projection.V), new Pair(normal(random, rank, 5), normal(random, 3, rank), 2f));
        }
        return new LoraWeights(pairs);
    }

    private static Tensor normal(SplittableRandom random, int rows, int cols) {
        float[] values = new float[rows * cols];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Tensor.ofFloats(values, rows, cols);
    }

    private static double[] delta(Pair pair) {
        int in = (int) pair.in();
        int rank = (int) pair.a().rows();
        double[] delta = new double[(int) (pair.out() * in)];
        for (int i = 0; i < delta.length; i++) {
            for (int k = 0; k < rank; k++) {
                delta[i] += pair.scale() * pair.b().getFloat((long) i / in * rank + k) * pair.a().getFloat((long) k * in + i % in);
            }
        }
        return delta;
    }

    /** Points 0, 1 | 4, 6 on a line: of the first a = 1, b = 5; of the second a = 1, b = 4; of the third a = 2, b = 3.5; of the fourth a = 2, b = 5.5. */
    @Test
    void silhouettes() {
        double[][] line = line(0, 1, 4, 6);
        assertArrayEquals(new double[] {0.8, 0.75, 1.5 / 3.5, 3.5 / 5.5}, Silhouette.ofEach(line, List.of("x", "x", "y", "y")), CLOSE);
        assertEquals((0.8 + 0.75 + 1.5 / 3.5 + 3.5 / 5.5) / 4, Silhouette.mean(line, List.of("x", "x", "y", "y")), CLOSE);
        assertEquals(0.775, Silhouette.byLabel(line, List.of("x", "x", "y", "y")).get("x"), CLOSE);
        assertEquals(0, Silhouette.ofEach(line, List.of("x", "x", "x", "y"))[3], "alone in its label");
        assertTrue(Silhouette.mean(line, List.of("x", "y", "x", "y")) < 0, "labels that part nothing");
        assertThrows(IllegalArgumentException.class, () -> Silhouette.mean(line, List.of("x", "x", "x", "x")));
    }

    private static double[][] line(double... at) {
        return IntStream.range(0, at.length).mapToObj(i -> IntStream.range(0, at.length).mapToDouble(j -> Math.abs(at[i] - at[j])).toArray()).toArray(double[][]::new);
    }

    /** Kernels of equal widths around points at equal distances: the perplexity is all others, and all pairs are alike. */
    @Test
    void neighboursOfPointsAtEqualDistances() {
        double[][] equal = IntStream.range(0, 5).mapToObj(i -> IntStream.range(0, 5).mapToDouble(j -> i == j ? 0 : 2).toArray()).toArray(double[][]::new);
        double[][] p = TSne.joint(equal, 4);
        assertEquals(1.0 / 20, p[1][3], CLOSE);
        assertEquals(0, p[2][2]);
    }

    /** The first three of a line are each other's neighbours, with perplexity 2 the far ones count next to nothing. */
    @Test
    void perplexityIsThatWanted() {
        double[][] squared = IntStream.range(0, 6)
                .mapToObj(i -> IntStream.range(0, 6).mapToDouble(j -> Math.pow((i < 3 ? i : 100 + i) - (j < 3 ? j : 100 + j), 2)).toArray()).toArray(double[][]::new);
        double[][] p = TSne.joint(squared, 2);
        assertEquals(1, IntStream.range(0, 6).mapToDouble(i -> IntStream.range(0, 6).mapToDouble(j -> p[i][j]).sum()).sum(), 1e-6);
        assertTrue(p[0][1] > 1000 * p[0][4]);
    }

    @Test
    void clustersFarApartStayApart() {
        var random = new SplittableRandom(1);
        int n = 60;
        float[][] points = new float[n][10];
        for (int i = 0; i < n; i++) {
            for (int k = 0; k < 10; k++) {
                points[i][k] = (float) (random.nextGaussian() + (i % 3 == k ? 40 : 0));
            }
        }
        double[][] squared = squared(points);
        double[][] plane = TSne.layout(squared, 10, 5);
        List<String> labels = IntStream.range(0, n).mapToObj(i -> "cluster " + i % 3).toList();
        assertTrue(Silhouette.mean(distances(plane), labels) > 0.7, "silhouette on the plane");
        assertEquals(0, IntStream.range(0, n).mapToDouble(i -> plane[i][0]).sum(), 1e-6);
        assertTrue(Arrays.deepEquals(plane, TSne.layout(squared, 10, 5)), "the same seed, the same picture");
        assertThrows(IllegalArgumentException.class, () -> TSne.layout(new double[3][3], 2, 0));
    }

    private static double[][] squared(float[][] points) {
        return IntStream.range(0, points.length).mapToObj(i -> IntStream.range(0, points.length)
                .mapToDouble(j -> IntStream.range(0, points[i].length).mapToDouble(k -> Math.pow(points[i][k] - points[j][k], 2)).sum()).toArray()).toArray(double[][]::new);
    }

    private static double[][] distances(double[][] plane) {
        return IntStream.range(0, plane.length).mapToObj(i -> IntStream.range(0, plane.length)
                .mapToDouble(j -> Math.hypot(plane[i][0] - plane[j][0], plane[i][1] - plane[j][1])).toArray()).toArray(double[][]::new);
    }
}
