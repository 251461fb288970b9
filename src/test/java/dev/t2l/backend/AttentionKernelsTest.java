package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * ropeAngles, rope and attention against Java: head sizes with and without remainders, fewer and more keys than the 64 of a
 * block, ranges that start anywhere, windows, soft-caps, scores so large that a naive softmax overflows, and grouped heads.
 */
@Tag("cuda")
class AttentionKernelsTest {
    private final KernelData data = new KernelData();

    @ParameterizedTest
    @EnumSource(Target.class)
    void ropeAngles(Target target) {
        Tensor positions = Tensor.ofInts(new int[] {0, 1, 77, 131_071}, 4);
        Tensor invFreq = Tensor.ofFloats(new float[] {1, 0.31622776f, 0.1f, 1e-4f, 3.3e-6f}, 5);
        KernelData.compare(target, KernelData.zeros(4, 10), 1e-6, (b, out) -> b.ropeAngles(out, positions, invFreq, 1.1f));
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void rope(Target target) {
        for (int h : new int[] {1, 5, 32}) {
            for (int n : new int[] {1, 3, 700}) {
                Tensor angles = data.normal(n, 2 * h);
                for (boolean interleaved : new boolean[] {false, true}) {
                    KernelData.compare(target, data.normal(n, 3L * 2 * h), 2e-5, (b, x) -> b.rope(x, angles, interleaved));
                }
            }
        }
    }

    /** The bits of rope and scatter, cache rows elsewhere untouched. */
    @ParameterizedTest
    @EnumSource(Target.class)
    void ropeStore(Target target) {
        for (int h : new int[] {1, 5, 32}) {
            for (int n : new int[] {1, 3, 300}) {
                for (boolean interleaved : new boolean[] {false, true}) {
                    Tensor angles = data.normal(n, 2 * h);
                    Tensor q = data.normal(n, 6L * 2 * h);
                    Tensor k = data.normal(n, 2L * 2 * h);
                    Tensor v = data.normal(n, 2L * 2 * h);
                    Tensor cache = data.normal(n + 7, 2L * 2 * h);
                    Tensor index = Tensor.ofInts(IntStream.range(0, n).map(i -> n + 5 - i).toArray(), n);
                    Tensor[] want = {KernelData.copy(q), KernelData.copy(k), KernelData.copy(cache), KernelData.copy(cache)};
                    Tensor[] got = {KernelData.copy(q), KernelData.copy(k), KernelData.copy(cache), KernelData.copy(cache)};
                    try (Backend backend = target.open(2)) {
                        backend.rope(want[0], angles, interleaved);
                        backend.rope(want[1], angles, interleaved);
                        backend.scatter(want[2], want[1], index);
                        backend.scatter(want[3], v, index);
                        backend.ropeStore(got[0], got[1], v, angles, interleaved, got[2], got[3], index);
                    }
                    for (int i : new int[] {0, 2, 3}) {
                        assertArrayEquals(want[i].toFloats(), got[i].toFloats());
                    }
                }
            }
        }
    }

    /** Ranges of n rows that see up to {@code keys} keys. */
    private static Tensor ranges(int n, int keys) {
        int[] ranges = new int[2 * n];
        for (int i = 0; i < n; i++) {
            ranges[2 * i] = i % 4 == 3 ? keys / 3 : 0;
            ranges[2 * i + 1] = Math.max(ranges[2 * i] + 1, keys - n + 1 + i);
        }
        return Tensor.ofInts(ranges, n, 2);
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void attention(Target target) {
        for (int d : new int[] {1, 6, 16, 64, 80, 257}) {
            for (int keys : new int[] {5, 64, 201}) {
                for (float softcap : new float[] {0, 5}) {
                    var spec = new AttentionSpec(6, 2, d, d == 16 ? 30 : 0.3f, softcap, keys == 201 && softcap == 0 ? 70 : 0);
                    int n = keys == 5 ? 1 : 5;
                    Tensor q = data.normal(n, 6L * d);
                    Tensor k = data.normal(keys, 2L * d);
                    Tensor v = data.normal(keys, 2L * d);
                    Tensor ranges = ranges(n, keys);
                    KernelData.compare(target, KernelData.zeros(n, 6L * d), 2e-4, (b, out) -> b.attention(out, q, k, v, ranges, spec));
                }
            }
        }
    }

    /** More keys than 64 splits of 128; more heads to a key head than are done at once; head sizes that fill 128 and 256. */
    @ParameterizedTest
    @EnumSource(Target.class)
    void longSequencesAndManyHeads(Target target) {
        for (int[] shape : new int[][] {{8300, 2, 1, 8}, {700, 18, 2, 24}, {130, 5, 1, 128}, {90, 3, 3, 256}, {40, 33, 1, 130}}) {
            int keys = shape[0];
            int heads = shape[1];
            int d = shape[3];
            var spec = new AttentionSpec(heads, shape[2], d, 0.2f, 0, 0);
            Tensor q = data.normal(5, (long) heads * d);
            Tensor k = data.normal(keys, (long) shape[2] * d);
            Tensor v = data.normal(keys, (long) shape[2] * d);
            Tensor ranges = ranges(5, keys);
            KernelData.compare(target, KernelData.zeros(5, (long) heads * d), 2e-4, (b, out) -> b.attention(out, q, k, v, ranges, spec));
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void rowsDoNotDependOnBatchOrThreads(Target target) {
        int n = 40;
        int cols = 4 * 64;
        Tensor q = data.normal(n, cols);
        Tensor k = data.normal(150, 2 * 64);
        Tensor v = data.normal(150, 2 * 64);
        Tensor ranges = ranges(n, 150);
        var spec = new AttentionSpec(4, 2, 64, 0.125f, 0, 0);
        Tensor want = KernelData.zeros(n, cols);
        try (Backend other = target.open(1)) {
            other.attention(want, q, k, v, ranges, spec);
        }
        try (Backend other = target.open(3)) {
            Tensor all = KernelData.zeros(n, cols);
            other.attention(all, q, k, v, ranges, spec);
            assertArrayEquals(want.toFloats(), all.toFloats());
            for (int i = 0; i < n; i++) {
                Tensor one = KernelData.zeros(1, cols);
                other.attention(one, q.slice(i, i + 1), k, v, ranges.slice(i, i + 1), spec);
                assertArrayEquals(Arrays.copyOfRange(want.toFloats(), i * cols, (i + 1) * cols), one.toFloats(), "row " + i);
            }
        }
    }

    /**
     * Every kernel for models in bf16, with tiles for many rows and for few, ranges of several sequences, and the sizes that it leaves to
     * f32: within what rounding the operands costs, rows alone as in a batch, and f32's bits where nothing is to be rounded.
     */
    @ParameterizedTest
    @EnumSource(value = Target.class, names = {"AVX2", "CUDA", "CUDA_DECODING", "CUDA_PREFILLING"})
    void operandsInBf16(Target target) {
        for (int[] shape : new int[][] {{40, 150, 4, 2, 64}, {3, 5, 2, 2, 16}, {900, 300, 24, 8, 64}, {70, 201, 8, 2, 128}, {700, 130, 32, 8, 128}, {33, 90, 8, 1, 80},
                {50, 75, 4, 2, 256}, {20, 60, 66, 1, 32}, {20, 60, 2, 1, 72}, {9, 40, 2, 1, 272}}) {
            int n = shape[0];
            int keys = shape[1];
            int d = shape[4];
            int cols = shape[2] * d;
            var spec = new AttentionSpec(shape[2], shape[3], d, 0.2f, keys == 90 ? 5 : 0, keys == 201 ? 70 : 0);
            Tensor q = data.normal(n, cols);
            Tensor k = data.normal(keys, (long) shape[3] * d);
            Tensor v = data.normal(keys, (long) shape[3] * d);
            Tensor ranges = ranges(n, keys);
            String what = "head dimension " + d + ", " + n + " rows";
            try (Backend java = new JavaBackend(); Backend other = target.open(2)) {
                float[] want = attention(java, q, k, v, ranges, spec);
                float[] exact = attention(other, q, k, v, ranges, spec);
                float[] half = attention(other, q, k, v, ranges, spec.of(DType.BF16));
                boolean rounds = target == Target.CUDA_PREFILLING && d % 16 == 0 && d <= 256;
                assertEquals(rounds, !Arrays.equals(exact, half), what);
                assertNear(want, half, rounds ? 0.01 : 1e-4, what);
                for (int i = 0; i < n; i += 7) {
                    float[] alone = attention(other, q.slice(i, i + 1), k, v, ranges.slice(i, i + 1), spec.of(DType.BF16));
                    assertArrayEquals(Arrays.copyOfRange(half, i * cols, (i + 1) * cols), alone, what + ", row " + i);
                }
            }
        }
    }

    private static float[] attention(Backend backend, Tensor q, Tensor k, Tensor v, Tensor ranges, AttentionSpec spec) {
        Tensor out = KernelData.zeros(q.rows(), q.cols());
        backend.attention(out, q, k, v, ranges, spec);
        return out.toFloats();
    }

    /** |got - want|, for all values together in the mean square, and ten times as much for a single one, within a share of the wanted's. */
    private static void assertNear(float[] want, float[] got, double share, String what) {
        double size = 0;
        double error = 0;
        double worst = 0;
        for (int i = 0; i < want.length; i++) {
            double e = Math.abs((double) got[i] - want[i]);
            size += (double) want[i] * want[i];
            error += e * e;
            worst = Math.max(worst, e);
        }
        double limit = share * Math.sqrt(size / want.length);
        assertTrue(Math.sqrt(error / want.length) <= limit && worst <= 10 * limit, what + ": error " + Math.sqrt(error / want.length) + ", worst " + worst + ", allowed " + limit);
    }
}
