package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * attentionBackward against Java: head sizes with and without remainders and beyond 256, sequences of one row, of fewer and of more
 * than the 48 queries and 64 keys of a block, causal and not, windows, soft-caps, large scores, grouped heads.
 */
@Tag("cuda")
class AttentionBackwardTest {
    private final KernelData data = new KernelData();

    private record Inputs(Tensor q, Tensor k, Tensor v, Tensor out, Tensor dout, Gradients.AttentionRows rows, AttentionSpec spec) {
        List<Tensor> outs() {
            return List.of(KernelData.zeros(q.shape()), KernelData.zeros(k.shape()), KernelData.zeros(v.shape()));
        }

        void run(Gradients g, List<Tensor> outs) {
            g.attentionBackward(outs.get(0), outs.get(1), outs.get(2), dout, out, q, k, v, rows, spec);
        }
    }

    private Inputs inputs(AttentionSpec spec, Gradients.AttentionRows rows) {
        long n = rows.ranges().rows();
        long width = (long) spec.heads() * spec.headDim();
        long kvWidth = (long) spec.kvHeads() * spec.headDim();
        Tensor q = data.normal(n, width);
        Tensor k = data.normal(n, kvWidth);
        Tensor v = data.normal(n, kvWidth);
        Tensor out = KernelData.zeros(n, width);
        try (Backend java = new JavaBackend()) {
            java.attention(out, q, k, v, rows.ranges(), spec);
        }
        return new Inputs(q, k, v, out, data.normal(n, width), rows, spec);
    }

    private void compare(Target target, AttentionSpec spec, Gradients.AttentionRows rows) {
        Inputs inputs = inputs(spec, rows);
        KernelData.compareGradients(target, inputs.outs(), 1e-3, inputs::run);
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void headSizes(Target target) {
        for (int d : new int[] {1, 6, 16, 64, 80, 257}) {
            compare(target, new AttentionSpec(4, 2, d, d == 16 ? 3 : 0.3f, 0, 0), TrainingData.sequences(true, 1, 19, 70));
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void windowsAndSoftcaps(Target target) {
        for (int window : new int[] {0, 7, 65}) {
            for (float softcap : new float[] {0, 5}) {
                compare(target, new AttentionSpec(3, 1, 24, 0.3f, softcap, window), TrainingData.sequences(true, 131, 5));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void bidirectional(Target target) {
        compare(target, new AttentionSpec(4, 4, 24, 0.2f, 0, 0), TrainingData.sequences(false, 80, 1, 33));
    }

    /** What models in bf16 let the GPU round: within bf16's precision of Java's; windows, soft-caps, odd groups, sequences that share tiles. */
    @ParameterizedTest
    @EnumSource(Target.class)
    void half(Target target) {
        for (var spec : List.of(new AttentionSpec(6, 2, 64, 0.125f, 0, 0, true), new AttentionSpec(4, 4, 128, 0.1f, 5, 33, true),
                new AttentionSpec(2, 1, 80, 0.1f, 0, 0, true))) {
            Inputs inputs = inputs(spec, TrainingData.sequences(true, 1, 19, 130, 5));
            List<Tensor> want = inputs.outs();
            List<Tensor> got = inputs.outs();
            try (Backend java = new JavaBackend(); Backend other = target.open(2)) {
                inputs.run(java.gradients(), want);
                inputs.run(other.gradients(), got);
            }
            for (int i = 0; i < 3; i++) {
                double error = relativeError(want.get(i).toFloats(), got.get(i).toFloats());
                assertTrue(error <= (target == Target.CUDA_PREFILLING ? 1e-2 : 1e-4), spec + ": " + error);
            }
        }
    }

    private static double relativeError(float[] want, float[] got) {
        double gap = 0;
        double norm = 0;
        for (int i = 0; i < want.length; i++) {
            gap += Math.pow((double) got[i] - want[i], 2);
            norm += Math.pow(want[i], 2);
        }
        return Math.sqrt(gap / norm);
    }

    /** A sequence's gradients have the same bits alone and in a batch. */
    @ParameterizedTest
    @EnumSource(Target.class)
    void sequencesDoNotDependOnTheBatch(Target target) {
        sequencesDoNotDependOnTheBatch(target, new AttentionSpec(4, 2, 20, 0.2f, 0, 50));
        sequencesDoNotDependOnTheBatch(target, new AttentionSpec(3, 1, 32, 0.2f, 0, 50, true));
    }

    private void sequencesDoNotDependOnTheBatch(Target target, AttentionSpec spec) {
        Inputs all = inputs(spec, TrainingData.sequences(true, 29, 100, 3));
        var alone = new Inputs(all.q().slice(29, 129), all.k().slice(29, 129), all.v().slice(29, 129), all.out().slice(29, 129),
                all.dout().slice(29, 129), TrainingData.sequences(true, 100), spec);
        List<Tensor> together = all.outs();
        List<Tensor> apart = alone.outs();
        try (Backend other = target.open(2)) {
            all.run(other.gradients(), together);
            alone.run(other.gradients(), apart);
        }
        for (int i = 0; i < 3; i++) {
            assertArrayEquals(together.get(i).slice(29, 129).toFloats(), apart.get(i).toFloats(), "tensor " + i + " of " + Arrays.asList("dq", "dk", "dv"));
        }
    }
}
