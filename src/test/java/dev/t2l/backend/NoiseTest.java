package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.tensor.Tensor;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Random bits, dropout and noise: their definition, their statistics, and that dropout is its own backward. */
class NoiseTest {
    private final Gradients gradients = new JavaBackend().gradients();

    private static Tensor ones(int n) {
        float[] ones = new float[n];
        Arrays.fill(ones, 1);
        return Tensor.ofFloats(ones, n);
    }

    /** The JDK has the same generator, which steps through the indices. */
    @Test
    void bitsAreSplitMix64() {
        for (long seed : new long[] {0, 1, -77, Long.MIN_VALUE}) {
            var random = new SplittableRandom(seed);
            for (int i = 0; i < 100; i++) {
                assertEquals((int) (random.nextLong() >>> 32), Noise.bits(seed, i));
            }
        }
    }

    /** The rate within five deviations; what is kept is scaled, so that the mean stays. */
    @Test
    void dropout() {
        int n = 100_000;
        for (float p : new float[] {0, 0.05f, 0.5f, 0.75f}) {
            Tensor out = KernelData.zeros(n);
            gradients.dropout(out, ones(n), p, 9);
            int dropped = 0;
            for (float v : out.toFloats()) {
                assertTrue(v == 0 || v == 1 / (1 - p), "kept values are scaled");
                dropped += v == 0 ? 1 : 0;
            }
            assertEquals(n * p, dropped, 5 * Math.sqrt(n * p * (1 - p)));
        }
    }

    @Test
    void dropoutIsItsOwnBackward() {
        Tensor x = new KernelData().normal(1000);
        Tensor out = KernelData.zeros(1000);
        Tensor dx = ones(1000);
        gradients.dropout(out, x, 0.3f, 5);
        gradients.dropout(dx, dx, 0.3f, 5);
        Tensor other = ones(1000);
        gradients.dropout(other, other, 0.3f, 6);
        int differ = 0;
        for (int i = 0; i < 1000; i++) {
            assertTrue(x.getFloat(i) * dx.getFloat(i) == out.getFloat(i));
            differ += dx.getFloat(i) == other.getFloat(i) ? 0 : 1;
        }
        assertTrue(differ > 300, "another seed, another mask");
    }

    /** Uniform: mean 0 and variance 1/3, each within five deviations, inside the row's magnitude. */
    @Test
    void addNoise() {
        int n = 50_000;
        Tensor x = KernelData.zeros(2, n);
        gradients.addNoise(x, Tensor.ofFloats(new float[] {1, 0.25f}, 2), 3);
        for (int row = 0; row < 2; row++) {
            double magnitude = row == 0 ? 1 : 0.25;
            double sum = 0;
            double squares = 0;
            for (int i = 0; i < n; i++) {
                double u = x.getFloat((long) row * n + i) / magnitude;
                assertTrue(u >= -1 && u < 1);
                sum += u;
                squares += u * u;
            }
            assertEquals(0, sum / n, 5 * Math.sqrt(1 / 3.0 / n));
            assertEquals(1 / 3.0, squares / n, 5 * Math.sqrt(4 / 45.0 / n));
        }
    }
}
