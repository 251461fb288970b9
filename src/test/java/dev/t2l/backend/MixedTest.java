package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Kernels on BF16 against Java's: both types for each tensor, sizes that are whole eights and others, rows for a warp and for a block,
 * weights that the library takes and others, head sizes with tiles and without; and the same bits in every call.
 */
@Tag("cuda")
class MixedTest {
    private static final double LAST_BIT = 6e-3;
    private static final double ATTENTION = 1.5e-2; // which also rounds probabilities, and gradients of scores
    private static final DType[] TYPES = {DType.F32, DType.BF16};
    private final KernelData data = new KernelData();

    private static void compare(Target target, List<Tensor> outs, BiConsumer<Mixed, List<Tensor>> kernel) {
        compare(target, outs, LAST_BIT, kernel);
    }

    private static void compare(Target target, List<Tensor> outs, double tolerance, BiConsumer<Mixed, List<Tensor>> kernel) {
        List<Tensor> want = outs.stream().map(KernelData::copy).toList();
        List<Tensor> got = outs.stream().map(KernelData::copy).toList();
        List<Tensor> again = outs.stream().map(KernelData::copy).toList();
        try (Backend java = new JavaBackend(); Backend other = target.open(3); Backend alone = target.open(1)) {
            kernel.accept(other.mixed(), got);
            kernel.accept(alone.mixed(), again);
            kernel.accept(java.mixed(), want);
        }
        for (int i = 0; i < outs.size(); i++) {
            KernelData.assertNear(want.get(i).toFloats(), got.get(i).toFloats(), tolerance);
            assertArrayEquals(got.get(i).toFloats(), again.get(i).toFloats(), "with one thread");
        }
    }

    /** Values that bf16 holds, in either type. */
    private Tensor normal(DType type, long... shape) {
        Tensor half = Tensor.allocate(Arena.ofAuto(), DType.BF16, shape);
        Tensor whole = data.normal(shape);
        try (Backend java = new JavaBackend()) {
            java.gradients().convert(half, whole);
            java.gradients().convert(whole, half);
        }
        return type == DType.BF16 ? half : whole;
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void norms(Target target) {
        for (long[] shape : new long[][] {{9, 2056}, {19, 64}, {5, 7}}) {
            var norm = new Norm(data.weights(DType.BF16, shape[1]), 1e-5f, 1);
            for (DType one : TYPES) {
                for (DType other : TYPES) {
                    Tensor x = normal(one, shape);
                    compare(target, List.of(normal(other, shape)), (m, out) -> m.rmsNorm(out.getFirst(), null, x, norm));
                    compare(target, List.of(normal(other, shape), normal(DType.BF16, shape)), (m, out) -> m.rmsNorm(out.get(0), out.get(1), x, norm));
                    Tensor dy = normal(other, shape);
                    for (boolean add : new boolean[] {false, true}) {
                        compare(target, List.of(normal(DType.F32, shape), normal(DType.BF16, shape)), (m, out) -> m.rmsNormBackward(out.get(0), out.get(1), dy, x, norm, add));
                        compare(target, List.of(normal(other, shape)), (m, out) -> m.rmsNormBackward(out.get(0), null, dy, x, norm, add));
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void rope(Target target) {
        for (int headDim : new int[] {16, 80, 12}) {
            Tensor angles = data.normal(7, headDim);
            for (boolean interleaved : new boolean[] {false, true}) {
                for (DType type : TYPES) {
                    compare(target, List.of(normal(type, 7, 3 * headDim)), (m, out) -> m.rope(out.getFirst(), angles, interleaved));
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void gated(Target target) {
        for (long n : new long[] {8 * 301, 77}) {
            for (DType type : TYPES) {
                Tensor gate = normal(type, n);
                Tensor up = normal(DType.BF16, n);
                Tensor dy = normal(DType.BF16, n);
                for (Activation f : Activation.values()) {
                    compare(target, List.of(normal(type, n)), (m, out) -> m.gated(out.getFirst(), gate, up, f));
                    compare(target, List.of(normal(type, n), normal(type, n)), (m, out) -> m.gatedBackward(out.get(0), out.get(1), dy, gate, up, f));
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void gatedBackwardInPlace(Target target) {
        Tensor dy = normal(DType.BF16, 320);
        compare(target, List.of(normal(DType.BF16, 320), normal(DType.BF16, 320)),
                (m, out) -> m.gatedBackward(out.get(0), out.get(1), dy, out.get(0), out.get(1), Activation.SILU));
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void products(Target target) {
        for (long[] size : new long[][] {{64, 48}, {30, 21}}) {
            for (DType weights : new DType[] {DType.BF16, DType.F32}) {
                Tensor w = normal(weights, size[1], size[0]);
                Tensor second = normal(weights, size[1], size[0]);
                Tensor bias = data.normal(size[1]);
                for (DType one : TYPES) {
                    for (DType other : TYPES) {
                        Tensor x = normal(one, 13, size[0]);
                        Tensor dy = normal(one, 13, size[1]);
                        compare(target, List.of(normal(other, 13, size[1]), normal(other, 13, size[1])),
                                (m, out) -> m.products(x, List.of(new Product(out.get(0), w, bias, null), new Product(out.get(1), second, null, null))));
                        compare(target, List.of(normal(other, 13, size[1])),
                                (m, out) -> m.addProduct(out.getFirst(), x, new Product(KernelData.zeros(13, size[1]), w, bias, null)));
                        for (boolean add : new boolean[] {false, true}) {
                            compare(target, List.of(normal(other, 13, size[0])), (m, out) -> m.linearBackward(out.getFirst(), dy, w, add));
                        }
                    }
                }
            }
        }
    }

    /** Ranks below, at and above eight; spans of no row, of one and of several pieces; rows of no span; heads that lie interleaved. */
    @ParameterizedTest
    @EnumSource(Target.class)
    void lora(Target target) {
        int[][] spans = {{1, 2}, {2, 2}, {3, 30}, {30, 101}};
        for (long[] size : new long[][] {{17, 22}, {1100, 64}}) {
            for (float dropout : new float[] {0, 0.25f}) {
                var adapters = new TrainingData(data).adapters(size[0], size[1], size[1] == 22 ? 22 : 0, new int[] {1, 3, 8, 17}, spans);
                LoraGradients there = adapters.gradients();
                for (DType one : TYPES) {
                    for (DType other : TYPES) {
                        Tensor x = normal(one, 103, size[0]);
                        Tensor dy = normal(one, 103, size[1]);
                        compare(target, List.of(normal(other, 103, size[1])),
                                (m, out) -> m.lora(out.getFirst(), x, new LoraSpans(adapters.rows(103), there, dropout, 77)));
                        List<Tensor> outs = new ArrayList<>(List.of(normal(other, 103, size[0])));
                        there.gradients().forEach(f -> outs.addAll(List.of(f.a(), f.b())));
                        compare(target, outs, (m, out) -> m.loraBackward(out.getFirst(), dy, x, new LoraSpans(adapters.rows(103), into(there, out.subList(1, 9)), dropout, 77)));
                        compare(target, outs.subList(1, 9), (m, out) -> m.loraBackward(null, dy, x, new LoraSpans(adapters.rows(103), into(there, out), dropout, 77)));
                    }
                }
            }
        }
    }

    /** The same adapters, with gradients that go elsewhere. */
    private static LoraGradients into(LoraGradients lora, List<Tensor> out) {
        List<LoraRows.Factor> gradients = new ArrayList<>();
        for (LoraRows.Factor f : lora.gradients()) {
            int at = 2 * gradients.size();
            gradients.add(new LoraRows.Factor(out.get(at), out.get(at + 1), f.rank(), f.scale()));
        }
        List<LoraRows.Factor> all = new ArrayList<>(lora.factors());
        all.addAll(gradients);
        return new LoraGradients(lora.factors(), gradients, lora.spans(), KernelData.table(all), lora.rows(), lora.headDim());
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void attention(Target target) {
        for (AttentionSpec spec : List.of(new AttentionSpec(4, 2, 16, 0.3f, 0, 0, true), new AttentionSpec(3, 1, 80, 0.1f, 5, 7, true),
                new AttentionSpec(8, 2, 128, 0.1f, 0, 33, true), new AttentionSpec(2, 2, 64, 0.1f, 0, 0, false), new AttentionSpec(2, 1, 20, 0.2f, 0, 0, true),
                new AttentionSpec(1, 1, 256, 0.05f, 0, 0, true))) {
            for (boolean causal : new boolean[] {false, true}) {
                attention(target, spec, TrainingData.sequences(causal, 1, 19, 70));
            }
        }
    }

    private void attention(Target target, AttentionSpec spec, Gradients.AttentionRows rows) {
        long n = rows.ranges().rows();
        long width = (long) spec.heads() * spec.headDim();
        long kvWidth = (long) spec.kvHeads() * spec.headDim();
        Tensor q = normal(DType.BF16, n, width);
        Tensor k = normal(DType.BF16, n, kvWidth);
        Tensor v = normal(DType.BF16, n, kvWidth);
        Tensor dout = normal(DType.BF16, n, width);
        compare(target, List.of(normal(DType.BF16, n, width), normal(DType.BF16, n, width), normal(DType.BF16, n, kvWidth), normal(DType.BF16, n, kvWidth)), ATTENTION, (m, out) -> {
            Tensor logSums = KernelData.zeros(n, spec.heads());
            m.attention(out.get(0), logSums, q, k, v, rows.ranges(), spec);
            m.attentionBackward(out.get(1), out.get(2), out.get(3), dout, out.get(0), logSums, q, k, v, rows, spec);
        });
    }
}
