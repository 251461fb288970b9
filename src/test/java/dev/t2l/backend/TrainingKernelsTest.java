package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.tensor.Tensor;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** scatterAdd, the losses, sumSquares and adamW against Java; and NaN, which must show. */
@Tag("cuda")
class TrainingKernelsTest {
    private final KernelData data = new KernelData();

    @ParameterizedTest
    @EnumSource(Target.class)
    void scatterAdd(Target target) {
        for (int[] shape : new int[][] {{1, 1, 1}, {5, 9, 33}, {7, 400, 130}}) {
            Tensor ids = data.ints(0, shape[0], shape[1]);
            Tensor dy = data.normal(shape[1], shape[2] + 5);
            KernelData.compareGradients(target, List.of(data.normal(shape[0], shape[2])), 1e-5, (g, out) -> g.scatterAdd(out.getFirst(), dy, 2, ids, 0.75f));
        }
    }

    /** Fewer and more values than a chunk of sums; rows that are ignored; logits so large that a naive softmax overflows. */
    @ParameterizedTest
    @EnumSource(Target.class)
    void crossEntropy(Target target) {
        for (int[] shape : new int[][] {{1, 1}, {3, 7}, {5, 61}, {9, 3001}}) {
            for (float smoothing : new float[] {0, 0.1f}) {
                for (float size : new float[] {1, 40}) {
                    Tensor logits = KernelData.zeros(shape[0], shape[1]);
                    Tensor noise = data.normal(shape[0], shape[1]);
                    for (long i = 0; i < noise.elements(); i++) {
                        logits.setFloat(i, size * noise.getFloat(i));
                    }
                    Tensor labels = data.ints(0, shape[1], shape[0]);
                    if (shape[0] > 1) {
                        labels.setInt(1, -100);
                    }
                    Tensor weight = data.normal(shape[0]);
                    KernelData.compareGradients(target, List.of(data.normal(shape[0]), logits), 1e-5 * size,
                            (g, out) -> g.crossEntropy(out.get(0), out.get(1), labels, weight, smoothing));
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(value = Target.class, names = {"BASELINE", "AVX2", "AVX512"})
    void refusesALabelOutsideTheVocabulary(Target target) {
        Tensor one = data.normal(1);
        try (Backend other = target.open(1)) {
            assertThrows(IndexOutOfBoundsException.class,
                    () -> other.gradients().crossEntropy(KernelData.copy(one), data.normal(1, 4), Tensor.ofInts(new int[] {4}, 1), one, 0));
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void distanceAndSumSquares(Target target) {
        for (int n : new int[] {1, 37, 16 * 1024, 50_001}) {
            Tensor x = data.normal(n);
            Tensor same = data.normal(n);
            same.setFloat(0, x.getFloat(0)); // no slope where there is no distance
            for (boolean squared : new boolean[] {false, true}) {
                KernelData.compareGradients(target, List.of(Tensor.ofFloats(new float[] {2}, 1), KernelData.zeros(n)), 1e-6,
                        (g, out) -> g.distance(out.get(0), out.get(1), x, same, 0.3f, squared));
            }
            KernelData.compareGradients(target, List.of(data.normal(3)), 1e-6, (g, out) -> g.sumSquares(out.getFirst(), 1, x));
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void adamW(Target target) {
        for (int n : new int[] {1, 37, 20_003}) {
            Tensor first = data.normal(n);
            Tensor second = data.normal(n);
            KernelData.compareGradients(target, List.of(data.normal(n), KernelData.zeros(n), KernelData.zeros(n)), 1e-6, (g, out) -> {
                g.adamW(out.get(0), first, out.get(1), out.get(2), new Gradients.AdamW(1e-3f, 0.9f, 0.999f, 1e-8f, 0.01f, 1, 0.7f));
                g.adamW(out.get(0), second, out.get(1), out.get(2), new Gradients.AdamW(2e-3f, 0.9f, 0.999f, 1e-8f, 0.01f, 2, 1));
            });
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void nanShows(Target target) {
        int n = 40_000;
        for (int at : new int[] {0, 17, n - 1}) {
            Tensor x = data.normal(n);
            x.setFloat(at, Float.NaN);
            Tensor sum = KernelData.zeros(1);
            Tensor loss = KernelData.zeros(1);
            Tensor weight = Tensor.ofFloats(new float[] {1}, 1);
            try (Backend other = target.open(2)) {
                other.gradients().sumSquares(sum, 0, x);
                other.gradients().crossEntropy(loss, x.reshape(1, n), Tensor.ofInts(new int[] {3}, 1), weight, 0);
            }
            assertTrue(Float.isNaN(sum.getFloat(0)));
            assertTrue(Float.isNaN(loss.getFloat(0)));
        }
    }
}
