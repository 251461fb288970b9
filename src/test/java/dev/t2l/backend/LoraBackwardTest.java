package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.t2l.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * loraBackward and loraFactorBackward against Java: ranks below, at and above a vector, spans without rows, of one row, and of more
 * than the 24 done at a time, rows in no span, outputs beyond one segment, interleaved heads.
 */
@Tag("cuda")
class LoraBackwardTest {
    private static final int[][] SPANS = {{1, 2}, {2, 2}, {3, 30}, {30, 101}};
    private final KernelData data = new KernelData();

    @ParameterizedTest
    @EnumSource(Target.class)
    void lora(Target target) {
        for (long[] shape : new long[][] {{17, 22}, {301, 308}, {576, 192}}) {
            for (int headDim : new int[] {0, shape[1] == 192 ? 64 : 22}) {
                var adapters = new TrainingData(data).adapters(shape[0], shape[1], headDim, new int[] {1, 3, 8, 37}, SPANS);
                LoraGradients lora = adapters.gradients();
                Tensor x = data.normal(103, shape[0]);
                Tensor dy = data.normal(103, shape[1]);
                List<Tensor> outs = new ArrayList<>(List.of(data.normal(103, shape[0])));
                lora.gradients().forEach(f -> outs.addAll(List.of(f.a(), f.b())));
                KernelData.compareGradients(target, outs, LinearBackwardTest.tolerance(target),
                        (g, out) -> g.loraBackward(out.getFirst(), dy, x, into(lora, out)));
            }
        }
    }

    /** The same adapters, with gradients that go to {@code out[1 ...]}. */
    private static LoraGradients into(LoraGradients lora, List<Tensor> out) {
        List<LoraRows.Factor> gradients = new ArrayList<>();
        for (LoraRows.Factor f : lora.gradients()) {
            int at = 1 + 2 * gradients.size();
            gradients.add(new LoraRows.Factor(out.get(at), out.get(at + 1), f.rank(), f.scale()));
        }
        List<LoraRows.Factor> all = new ArrayList<>(lora.factors());
        all.addAll(gradients);
        return new LoraGradients(lora.factors(), gradients, lora.spans(), KernelData.table(all), lora.rows(), lora.headDim());
    }

    /** A sample's gradients have the same bits alone and in a batch. */
    @ParameterizedTest
    @EnumSource(Target.class)
    void spansDoNotDependOnTheBatch(Target target) {
        var all = new TrainingData(data).adapters(96, 40, 0, new int[] {8, 8}, new int[][] {{0, 31}, {31, 80}});
        LoraRows.Factor factor = all.gradients().factors().get(1);
        var gradient = new LoraRows.Factor(KernelData.zeros(8, 96), KernelData.zeros(40, 8), 8, factor.scale());
        var alone = new LoraGradients(List.of(factor), List.of(gradient), Tensor.ofInts(new int[] {0, 49}, 1, 2),
                KernelData.table(List.of(factor, gradient)), 49, 0);
        Tensor x = data.normal(80, 96);
        Tensor dy = data.normal(80, 40);
        Tensor dx = KernelData.zeros(80, 96);
        Tensor part = KernelData.zeros(49, 96);
        try (Backend other = target.open(2)) {
            all.clear();
            other.gradients().loraBackward(dx, dy, x, all.gradients());
            other.gradients().loraBackward(part, dy.slice(31, 80), x.slice(31, 80), alone);
        }
        assertArrayEquals(Arrays.copyOfRange(dx.toFloats(), 31 * 96, 80 * 96), part.toFloats());
        assertArrayEquals(all.gradients().gradients().get(1).a().toFloats(), gradient.a().toFloats());
        assertArrayEquals(all.gradients().gradients().get(1).b().toFloats(), gradient.b().toFloats());
    }

    @ParameterizedTest
    @EnumSource(value = Target.class, names = {"BASELINE", "AVX2", "AVX512"})
    void refusesSpansThatOverlap(Target target) {
        LoraGradients lora = new TrainingData(data).adapters(4, 4, 0, new int[] {2, 2}, new int[][] {{0, 3}, {2, 5}}).gradients();
        Tensor x = data.normal(5, 4);
        try (Backend other = target.open(1)) {
            assertThrows(IndexOutOfBoundsException.class, () -> other.gradients().loraBackward(KernelData.zeros(5, 4), x, x, lora));
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void loraFactor(Target target) {
        for (boolean transposed : new boolean[] {false, true}) {
            long[] shape = transposed ? new long[] {3, 53, 7} : new long[] {3, 7, 53};
            Tensor dout = data.normal(shape);
            var source = new LoraFactor(11, 500, 60, transposed);
            for (Tensor scale : new Tensor[] {data.normal(shape), null}) {
                KernelData.compareGradients(target, List.of(data.normal(3 * 500 + 11)), 1e-6,
                        (g, out) -> g.loraFactorBackward(out.getFirst(), dout, source, scale));
            }
        }
    }
}
