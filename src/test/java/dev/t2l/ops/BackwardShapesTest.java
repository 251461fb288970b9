package dev.t2l.ops;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.backend.Activation;
import dev.t2l.backend.AttentionSpec;
import dev.t2l.backend.Backend;
import dev.t2l.backend.Gradients;
import dev.t2l.backend.LoraFactor;
import dev.t2l.backend.LoraGradients;
import dev.t2l.backend.LoraRows;
import dev.t2l.backend.LoraSpans;
import dev.t2l.backend.Mixed;
import dev.t2l.backend.Norm;
import dev.t2l.backend.Product;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Operations of training run with the shapes that they document, and name the argument whose shape or type is another. */
class BackwardShapesTest {
    private static final Backend JAVA = Backend.open("java");
    private static final Mixed MIXED = JAVA.mixed();
    private static final LoraFactor CUT = new LoraFactor(0, 12, 4, false);

    /** A call with the right tensors in order, to be tried with each of them wrong. */
    private record Operation(String name, List<Tensor> arguments, Consumer<List<Tensor>> call) {
    }

    private static Operation of(String name, Consumer<List<Tensor>> call, Tensor... arguments) {
        return new Operation(name, List.of(arguments), call);
    }

    private static Tensor f(long... shape) {
        return Tensor.allocate(Arena.ofAuto(), DType.F32, shape);
    }

    private static Tensor i(long... shape) {
        return Tensor.allocate(Arena.ofAuto(), DType.I32, shape);
    }

    private static Tensor h(long... shape) {
        return Tensor.allocate(Arena.ofAuto(), DType.BF16, shape);
    }

    /** Of A, B, their gradients, and where they act: from the third tensor on. */
    private static LoraSpans lora(List<Tensor> t) {
        Tensor table = Tensor.allocate(Arena.ofAuto(), DType.U8, 2L * LoraRows.ENTRY_BYTES);
        var factors = List.of(new LoraRows.Factor(t.get(3), t.get(4), 2, 1));
        var gradients = new LoraGradients(factors, List.of(new LoraRows.Factor(t.get(5), t.get(6), 2, 1)), t.get(7), table, 0, 0);
        return new LoraSpans(new LoraRows(factors, table, i(3, 1), f(3, 1), 0), gradients, 0.5f, 1);
    }

    private static Stream<Operation> operations() {
        var spec = new AttentionSpec(2, 1, 4, 1, 0, 0);
        Tensor ranges = Tensor.ofInts(new int[] {0, 1, 0, 2, 0, 3}, 3, 2);
        Tensor seen = Tensor.ofInts(new int[] {0, 3, 1, 3, 2, 3}, 3, 2);
        var step = new Gradients.AdamW(1, 0.9f, 0.99f, 1e-8f, 0, 1, 1);
        return Stream.of(
                of("Linear.backward", t -> Linear.backward(JAVA, t.get(0), t.get(1), t.get(2), false), f(3, 5), f(3, 7), f(7, 5)),
                of("Linear.gradient", t -> Linear.gradient(JAVA, t.get(0), t.get(1), t.get(2), t.get(3)), f(7, 5), f(7), f(3, 7), f(3, 5)),
                of("LoraLinear.backward", t -> LoraLinear.backward(MIXED, t.get(0), t.get(1), t.get(2), lora(t)), f(3, 5), f(3, 7), f(3, 5), f(2, 5), f(7, 2),
                        f(2, 5), f(7, 2), i(1, 2)),
                of("HyperHead.backward", t -> HyperHead.backward(JAVA, t.get(0), t.get(1), CUT, t.get(2)), f(24), f(2, 3, 4), f(2, 3, 4)),
                of("Activate.backward", t -> Activate.backward(JAVA, t.get(0), t.get(1), t.get(2), Activation.SILU), f(5), f(5), f(5)),
                of("Activate.gatedBackward", t -> Activate.gatedBackward(MIXED, t.get(0), t.get(1), t.get(2), t.get(3), t.get(4), Activation.SILU), f(5), f(5), f(5),
                        f(5), f(5)),
                of("Softcap.backward", t -> Softcap.backward(JAVA, t.get(0), t.get(1), 3), f(5), f(5)),
                of("RmsNorm.backward", t -> RmsNorm.backward(JAVA, t.get(0), t.get(1), t.get(2), new Norm(t.get(3), 1, 0), false), f(3, 5), f(3, 5), f(3, 5), f(5)),
                of("LayerNorm.backward", t -> LayerNorm.backward(JAVA, t.get(0), t.get(1), t.get(2), t.get(3), t.get(4), t.get(5), 1, false), f(3, 5), f(5), f(5),
                        f(3, 5), f(3, 5), f(5)),
                of("Rope.backward", t -> Rope.backward(JAVA, t.get(0), t.get(1), false), f(3, 8), f(3, 4)),
                of("Embedding.backward", t -> Embedding.backward(JAVA, t.get(0), t.get(1), 1, t.get(2), 1), f(4, 5), f(3, 6), i(3)),
                of("Attention.backward", t -> Attention.backward(MIXED, t.get(0), t.get(1), t.get(2), t.get(3), t.get(4), t.get(5), t.get(6), t.get(7),
                        t.get(8), new Gradients.AttentionRows(t.get(9), t.get(10)), spec), f(3, 8), h(3, 4), f(3, 4), h(3, 8), h(3, 8), f(3, 2), h(3, 8), f(3, 4), h(3, 4),
                        ranges, seen),
                of("Attention.mixed", t -> Attention.forward(MIXED, t.get(0), t.get(1), t.get(2), t.get(3), t.get(4), t.get(5), spec), h(3, 8), f(3, 2), h(3, 8), f(3, 4),
                        h(3, 4), ranges),
                of("Linear.mixed", t -> Linear.backward(MIXED, t.get(0), t.get(1), t.get(2), false), f(3, 5), h(3, 7), f(7, 5)),
                of("Products.mixed", t -> Products.forward(MIXED, t.get(0), List.of(new Product(t.get(1), t.get(2), t.get(3), null))), h(3, 5), h(3, 7), f(7, 5), f(7)),
                of("Products.add", t -> Products.add(MIXED, t.get(0), t.get(1), new Product(t.get(2), t.get(3), null, null)), f(3, 7), h(3, 5), f(3, 7), f(7, 5)),
                of("LoraLinear.add", t -> LoraLinear.add(MIXED, t.get(0), t.get(1), lora(List.of(t.get(0), t.get(1), t.get(1), t.get(2), t.get(3), t.get(2), t.get(3), i(1, 2)))),
                        h(3, 7), h(3, 5), f(2, 5), f(7, 2)),
                of("Activate.gated", t -> Activate.gated(MIXED, t.get(0), t.get(1), t.get(2), Activation.SILU), h(5), f(5), h(5)),
                of("RmsNorm.mixed", t -> RmsNorm.forward(MIXED, t.get(0), t.get(1), t.get(2), new Norm(t.get(3), 1, 0)), h(3, 5), h(3, 5), f(3, 5), f(5)),
                of("RmsNorm.mixedBackward", t -> RmsNorm.backward(MIXED, t.get(0), t.get(1), t.get(2), t.get(3), new Norm(t.get(4), 1, 0), false), f(3, 5), h(3, 5),
                        h(3, 5), h(3, 5), f(5)),
                of("Rope.mixed", t -> Rope.backward(MIXED, t.get(0), t.get(1), false), h(3, 8), f(3, 4)),
                of("CrossEntropy", t -> CrossEntropy.lossAndGradient(JAVA, t.get(0), t.get(1), t.get(2), t.get(3), 0), f(3), f(3, 5), i(3), f(3)),
                of("Distance", t -> Distance.lossAndGradient(JAVA, t.get(0), t.get(1), t.get(2), t.get(3), 1, false), f(1), f(5), f(5), f(5)),
                of("Dropout", t -> Dropout.forward(JAVA, t.get(0), t.get(1), 0.5f, 1), f(5), f(5)),
                of("AddNoise", t -> AddNoise.forward(JAVA, t.get(0), t.get(1), 1), f(3, 5), f(3)),
                of("AdamW", t -> AdamW.step(JAVA, t.get(0), t.get(1), t.get(2), t.get(3), step), f(5), f(5), f(5), f(5)),
                of("Convert", t -> Convert.forward(JAVA, t.get(0), t.get(1)), f(5), f(5)));
    }

    /** The same tensor with another row, if it has several, and with another type. */
    private static List<Tensor> wrong(Tensor t) {
        long[] longer = t.shape();
        longer[0]++;
        List<Tensor> wrong = new ArrayList<>(List.of(Tensor.of(DType.I64, MemorySegment.ofArray(new long[(int) t.elements()]), t.shape())));
        if (t.elements() > 1) {
            wrong.add(Tensor.allocate(Arena.ofAuto(), t.dtype(), longer));
        }
        return wrong;
    }

    /** Any number of table rows is right, a weight may have any type that holds floats, and HyperHead's y may be longer. */
    private static boolean free(Operation operation, int argument, Tensor wrong) {
        boolean sameType = wrong.dtype() != DType.I64;
        return switch (operation.name()) {
            case "Linear.backward", "Linear.mixed" -> argument == 2 && !sameType;
            case "Products.mixed" -> argument >= 2 && !sameType;
            case "Products.add" -> argument == 3 && !sameType;
            case "RmsNorm.mixed" -> argument == 3 && !sameType;
            case "RmsNorm.mixedBackward" -> argument == 4 && !sameType;
            case "Embedding.backward" -> argument == 0 && sameType;
            case "HyperHead.backward" -> argument == 0 && sameType;
            case "RmsNorm.backward" -> argument == 3 && !sameType;
            case "LayerNorm.backward" -> argument == 5 && !sameType;
            default -> false;
        };
    }

    @TestFactory
    Stream<DynamicTest> documentedShapesRunAndOthersAreNamed() {
        return operations().map(operation -> DynamicTest.dynamicTest(operation.name(), () -> {
            operation.call().accept(operation.arguments());
            int tried = 0;
            for (int a = 0; a < operation.arguments().size(); a++) {
                for (Tensor wrong : wrong(operation.arguments().get(a))) {
                    if (free(operation, a, wrong)) {
                        continue;
                    }
                    List<Tensor> arguments = new ArrayList<>(operation.arguments());
                    arguments.set(a, wrong);
                    var refused = assertThrows(IllegalArgumentException.class, () -> operation.call().accept(arguments), "argument " + a + " as " + wrong);
                    assertTrue(refused.getMessage().startsWith(operation.name().split("\\.")[0]), refused.getMessage());
                    tried++;
                }
            }
            assertTrue(tried >= operation.arguments().size());
        }));
    }

    @TestFactory
    Stream<DynamicTest> constantsOutOfRangeAreRefused() {
        Tensor x = f(1, 4);
        var zeroth = new Gradients.AdamW(1, 0.9f, 0.99f, 1e-8f, 0, 0, 1);
        return Stream.<Runnable>of(() -> Dropout.forward(JAVA, x, x, 1, 0), () -> Dropout.forward(JAVA, x, x, -0.1f, 0),
                        () -> Dropout.forward(JAVA, x, x, Float.NaN, 0), () -> Softcap.backward(JAVA, x, x, 0), () -> AdamW.step(JAVA, x, x, x, x, zeroth),
                        () -> CrossEntropy.lossAndGradient(JAVA, f(1), x, i(1), f(1), 1), () -> SumSquares.forward(JAVA, f(2), 2, x),
                        () -> LayerNorm.backward(JAVA, x, f(4), null, x, x, f(4), 1, false))
                .map(call -> DynamicTest.dynamicTest("a constant", () -> assertThrows(IllegalArgumentException.class, call::run)));
    }

    @Test
    void sumsAndFills() {
        Tensor x = f(3, 5);
        Tensor out = f(2);
        Fill.forward(JAVA, x, 2);
        SumSquares.forward(JAVA, out, 1, x);
        assertEquals(60, out.getFloat(1));
    }
}
