package dev.t2l.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.Tensor;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The first right singular vector, against power iteration on the large matrix. */
class ArrowPrototypeTest {
    private final SplittableRandom random = new SplittableRandom(7);

    private float[] normal(int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    /** Of B A itself, in double. */
    private static double[] powerIteration(float[] a, float[] b, int rank, int in, int out) {
        double[][] delta = new double[out][in];
        for (int o = 0; o < out; o++) {
            for (int j = 0; j < in; j++) {
                for (int k = 0; k < rank; k++) {
                    delta[o][j] += (double) b[o * rank + k] * a[k * in + j];
                }
            }
        }
        double[] v = new double[in];
        for (int j = 0; j < in; j++) {
            v[j] = Math.sin(j + 1);
        }
        for (int round = 0; round < 5000; round++) {
            double[] next = new double[in];
            for (double[] row : delta) {
                double y = 0;
                for (int j = 0; j < in; j++) {
                    y += row[j] * v[j];
                }
                for (int j = 0; j < in; j++) {
                    next[j] += row[j] * y;
                }
            }
            double norm = Math.sqrt(dot(next, next));
            for (int j = 0; j < in; j++) {
                v[j] = next[j] / norm;
            }
        }
        return v;
    }

    private static double dot(double[] x, double[] y) {
        double sum = 0;
        for (int j = 0; j < x.length; j++) {
            sum += x[j] * y[j];
        }
        return sum;
    }

    private static double[] doubles(Tensor t) {
        double[] values = new double[(int) t.elements()];
        for (int i = 0; i < values.length; i++) {
            values[i] = t.getFloat(i);
        }
        return values;
    }

    @ParameterizedTest
    @CsvSource({"1, 7, 5", "2, 31, 64", "8, 48, 17", "16, 24, 9"})
    void itIsTheDirectionThatChangesMost(int rank, int in, int out) {
        float[] a = normal(rank * in);
        float[] b = normal(out * rank);
        double[] prototype = doubles(ArrowPrototype.of(new Pair(Tensor.ofFloats(a, rank, in), Tensor.ofFloats(b, out, rank), 3)));
        assertEquals(1, dot(prototype, prototype), 1e-6);
        assertEquals(1, Math.abs(dot(prototype, powerIteration(a, b, rank, in, out))), 1e-6);
    }

    @Test
    void ranksMayRepeatEachOther() {
        float[] a = normal(3 * 20);
        System.arraycopy(a, 0, a, 40, 20); // the third row is the first again
        float[] b = normal(11 * 3);
        double[] prototype = doubles(ArrowPrototype.of(new Pair(Tensor.ofFloats(a, 3, 20), Tensor.ofFloats(b, 11, 3), 1)));
        assertEquals(1, Math.abs(dot(prototype, powerIteration(a, b, 3, 20, 11))), 1e-6);
    }

    @Test
    void ofNothingItIsNothing() {
        float[] zeros = new float[5];
        assertArrayEquals(zeros, ArrowPrototype.of(new Pair(Tensor.ofFloats(normal(10), 2, 5), Tensor.ofFloats(new float[8], 4, 2), 1)).toFloats());
        assertArrayEquals(zeros, ArrowPrototype.of(new Pair(Tensor.ofFloats(new float[10], 2, 5), Tensor.ofFloats(normal(8), 4, 2), 1)).toFloats());
    }
}
