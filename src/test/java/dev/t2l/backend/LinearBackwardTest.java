package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * linearBackward with weights of every type, and linearGradient, against Java. Rows: whole and partial tiles of 6, and more than the 96
 * that meet a panel. Columns: less than a vector, and whole and partial panels of 256. Sums: below, at and above the 64 of a block.
 */
@Tag("cuda")
class LinearBackwardTest {
    private final KernelData data = new KernelData();

    static Stream<Arguments> typesAndSets() {
        return LinearTest.typesAndSets();
    }

    /** Sums of up to a few hundred products; on the GPU's tensor cores dy is a sum of two bf16 values. */
    static double tolerance(Target target) {
        return target.name().startsWith("CUDA") ? 1e-3 : 2e-4;
    }

    @ParameterizedTest
    @MethodSource("typesAndSets")
    void agreesWithJava(DType type, Target target) {
        long block = type.blockSize();
        long[] inputs = block == 1 ? new long[] {1, 7, 61, 301} : new long[] {block, block == 32 ? 352 : 512};
        for (long in : inputs) {
            for (int[] shape : new int[][] {{1, 3}, {7, 64}, {9, 150}}) {
                Tensor w = data.weights(type, shape[1], in);
                Tensor dy = data.normal(shape[0], shape[1]);
                for (boolean add : new boolean[] {false, true}) {
                    KernelData.compareGradients(target, List.of(data.normal(shape[0], in)), tolerance(target),
                            (g, out) -> g.linearBackward(out.getFirst(), dy, w, add));
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void agreesWithJavaWhereThreadsShareTheWork(Target target) {
        for (DType type : List.of(DType.BF16, DType.Q4_1, DType.Q6_K, DType.IQ4_NL)) {
            Tensor w = data.weights(type, 333, 768);
            Tensor dy = data.normal(101, 333);
            KernelData.compareGradients(target, List.of(KernelData.zeros(101, 768)), tolerance(target),
                    (g, out) -> g.linearBackward(out.getFirst(), dy, w, false));
        }
    }

    /** More rows of w than one sum over them is made of on the GPU. */
    @ParameterizedTest
    @EnumSource(Target.class)
    void tallWeights(Target target) {
        for (DType type : List.of(DType.F32, DType.F16, DType.Q8_0)) {
            Tensor w = data.weights(type, 9001, 64);
            Tensor dy = data.normal(70, 9001);
            for (boolean add : new boolean[] {false, true}) {
                KernelData.compareGradients(target, List.of(data.normal(70, 64)), tolerance(target),
                        (g, out) -> g.linearBackward(out.getFirst(), dy, w, add));
            }
        }
    }

    /** Sizes that the GPU's library takes for bf16 weights, and a gradient that is the same in bf16. */
    @ParameterizedTest
    @EnumSource(Target.class)
    void bf16(Target target) {
        Tensor w = data.weights(DType.BF16, 136, 264);
        Tensor dy = data.normal(37, 136);
        Tensor rounded = Tensor.allocate(Arena.ofAuto(), DType.BF16, 37, 136);
        try (Backend java = new JavaBackend()) {
            java.gradients().convert(rounded, dy);
            java.gradients().convert(dy, rounded);
        }
        for (boolean add : new boolean[] {false, true}) {
            KernelData.compareGradients(target, List.of(data.normal(37, 264)), tolerance(target), (g, out) -> g.linearBackward(out.getFirst(), dy, w, add));
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void linearGradient(Target target) {
        for (int[] shape : new int[][] {{1, 1, 1}, {5, 7, 13}, {64, 6, 300}, {150, 131, 77}}) {
            Tensor dy = data.normal(shape[0], shape[1]);
            Tensor x = data.normal(shape[0], shape[2]);
            List<Tensor> outs = List.of(data.normal(shape[1], shape[2]), data.normal(shape[1]));
            KernelData.compareGradients(target, outs, tolerance(target), (g, out) -> g.linearGradient(out.get(0), out.get(1), dy, x));
            KernelData.compareGradients(target, outs.subList(0, 1), tolerance(target), (g, out) -> g.linearGradient(out.getFirst(), null, dy, x));
        }
    }

    /** The same bits for a row alone and in any batch. */
    @ParameterizedTest
    @EnumSource(Target.class)
    void rowsDoNotDependOnTheBatch(Target target) {
        rowsDoNotDependOnTheBatch(target, DType.Q8_0, 130);
        rowsDoNotDependOnTheBatch(target, DType.BF16, 136);
        rowsDoNotDependOnTheBatch(target, DType.F32, 4500);
    }

    private void rowsDoNotDependOnTheBatch(Target target, DType type, int out) {
        int in = 288;
        Tensor w = data.weights(type, out, in);
        Tensor dy = data.normal(101, out);
        try (Backend other = target.open(2)) {
            Tensor all = KernelData.zeros(101, in);
            other.gradients().linearBackward(all, dy, w, false);
            for (int[] range : new int[][] {{0, 1}, {3, 5}, {50, 57}, {1, 100}, {100, 101}}) {
                Tensor some = KernelData.zeros(range[1] - range[0], in);
                other.gradients().linearBackward(some, dy.slice(range[0], range[1]), w, false);
                assertArrayEquals(Arrays.copyOfRange(all.toFloats(), range[0] * in, range[1] * in), some.toFloats(), "rows " + Arrays.toString(range));
            }
        }
    }
}
