package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Products with what comes before and after them, as one call, against Java: weights of every type, one to nine rows (up to four, up to
 * eight, and two groups for the GPU's kernels), outputs that fill no tile, inputs of one block and of more than a warp's share, 16-bit rows
 * of no multiple of 16 bytes, with and without adapters. The views for prefill round differently: {@link PrefillProductsTest}.
 */
@Tag("cuda")
class FusedKernelsTest {
    private static final DType[] TYPES = {DType.F32, DType.F16, DType.BF16, DType.Q4_0, DType.Q4_1, DType.Q8_0, DType.Q4_K, DType.Q6_K};
    private static final int[] ROWS = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    private static final int[] OUTS = {37, 48, 21};
    private static final float EPS = 1e-5f;
    private final KernelData data = new KernelData();

    static Stream<Target> targets() {
        return Arrays.stream(Target.values()).filter(t -> t != Target.CUDA_PREFILLING);
    }

    static Stream<Arguments> typesAndTargets() {
        return targets().flatMap(target -> Arrays.stream(TYPES).map(type -> Arguments.of(type, target)));
    }

    private static long[] inputs(DType type) {
        return switch (type.blockSize()) {
            case 1 -> new long[] {8, 61, 1104};
            case 32 -> new long[] {32, 1120};
            default -> new long[] {256, 2304};
        };
    }

    /** All that an operation has besides its backend, and how to have a few of its rows. */
    private record Inputs(Tensor x, Tensor beside, Norm norm, List<Tensor> weights, List<Tensor> biases, List<LoraRows> lora) {
        int rows() {
            return (int) x.rows();
        }

        Inputs row(int i) {
            List<LoraRows> one = new ArrayList<>();
            for (LoraRows rows : lora) {
                one.add(KernelData.rows(rows, i, i + 1));
            }
            return new Inputs(x.slice(i, i + 1), beside.slice(i, i + 1), norm, weights, biases, one);
        }

        Product product(int p) {
            return new Product(KernelData.zeros(x.rows(), weights.get(p).rows()), weights.get(p), biases.get(p), lora.get(p));
        }

        List<Product> products() {
            List<Product> all = new ArrayList<>();
            for (int p = 0; p < weights.size(); p++) {
                all.add(product(p));
            }
            return all;
        }

        /** Scratch of x's shape. */
        Tensor h() {
            return KernelData.zeros(x.shape());
        }
    }

    /** An operation; what it computes, a tensor after the other. */
    private interface Operation extends Function<Backend, List<Tensor>> {
    }

    private Inputs inputs(int n, long in, List<Tensor> weights, boolean adapted) {
        List<Tensor> biases = new ArrayList<>();
        List<LoraRows> lora = new ArrayList<>();
        for (int p = 0; p < weights.size(); p++) {
            long out = weights.get(p).rows();
            biases.add(p % 3 == 1 ? null : data.weights(p == 0 ? DType.F32 : DType.F16, out));
            lora.add(adapted && p % 3 != 2 ? data.adapters(n, in, out, out % 16 == 0 ? 16 : 0) : null);
        }
        DType normType = new DType[] {DType.F32, DType.F16, DType.BF16}[n % 3];
        return new Inputs(data.normal(n, in), data.normal(n, weights.getFirst().rows()), new Norm(data.weights(normType, in), EPS, 1), weights, biases, lora);
    }

    private Inputs inputs(DType type, int n, long in, boolean adapted) {
        return inputs(n, in, Arrays.stream(OUTS).mapToObj(out -> data.weights(type, out, in)).toList(), adapted);
    }

    /** The same with two weights of one size, for a gate and what it gates. */
    private Inputs pair(DType gate, DType up, int n, long in, boolean adapted) {
        return inputs(n, in, List.of(data.weights(gate, 43, in), data.weights(up, 43, in)), adapted);
    }

    private static List<Operation> operations(Inputs in, Inputs pair, Tensor down) {
        List<Operation> all = new ArrayList<>();
        all.add(b -> {
            List<Product> products = in.products();
            b.products(in.x(), products);
            return products.stream().map(Product::y).toList();
        });
        all.add(b -> {
            List<Product> products = in.products();
            b.normedProducts(in.h(), in.x(), in.norm(), products);
            return products.stream().map(Product::y).toList();
        });
        all.add(b -> {
            Tensor sum = KernelData.copy(in.beside());
            b.addProduct(sum, in.x(), in.product(0));
            return List.of(sum);
        });
        for (Norm norm : new Norm[] {null, pair.norm()}) {
            all.add(b -> {
                Product gate = pair.product(0);
                b.gatedProduct(norm == null ? null : pair.h(), pair.x(), norm, gate, pair.product(1), Activation.SILU);
                return List.of(gate.y());
            });
        }
        for (Activation f : Activation.values()) {
            all.add(b -> {
                Tensor y = KernelData.zeros(in.rows(), OUTS[0]);
                b.activatedLinear(y, in.x(), in.weights().getFirst(), in.biases().getFirst(), f, f == Activation.RELU ? null : in.beside());
                return List.of(y);
            });
        }
        all.add(b -> {
            Tensor x = KernelData.copy(pair.x());
            Tensor h = pair.h();
            b.gatedMlp(h, x, pair.norm(), pair.product(0), pair.product(1), new Product(h, down, null, null), Activation.GELU_TANH);
            return List.of(x);
        });
        return all;
    }

    /** Of f32 sums; the GPU's tensor cores have x with 16 bits beside bf16 weights, and what a product loses the next one passes on. */
    private static double tolerance(Target target, DType type) {
        return target.name().startsWith("CUDA") && type != DType.F32 ? 4e-5 : 4e-6;
    }

    private static void assertAgrees(Backend other, List<Operation> operations, double tolerance) {
        try (Backend java = new JavaBackend()) {
            for (Operation operation : operations) {
                List<Tensor> want = operation.apply(java);
                List<Tensor> got = operation.apply(other);
                for (int i = 0; i < want.size(); i++) {
                    KernelData.assertNear(want.get(i).toFloats(), got.get(i).toFloats(), tolerance);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("typesAndTargets")
    void agreesWithJava(DType type, Target target) {
        try (Backend other = target.open(2)) {
            for (long in : inputs(type)) {
                for (int n : ROWS) {
                    for (boolean adapted : new boolean[] {false, true}) {
                        Inputs inputs = inputs(type, n, in, adapted);
                        Inputs pair = pair(type, type, n, in, adapted);
                        Tensor down = data.weights(DType.BF16, in, 43);
                        assertAgrees(other, operations(inputs, pair, down), tolerance(target, type));
                    }
                }
            }
        }
    }

    /** Weights of several types, more of one than a launch has room for, and pairs of two types. */
    @ParameterizedTest
    @MethodSource("targets")
    void mixedTypes(Target target) {
        DType[][] lists = {{DType.Q4_K, DType.Q4_K, DType.Q6_K}, {DType.BF16, DType.Q8_0, DType.BF16, DType.BF16, DType.Q8_0, DType.BF16, DType.BF16},
            {DType.F32, DType.Q4_0}, {DType.F16, DType.F32}, {DType.Q6_K, DType.Q4_1}};
        try (Backend other = target.open(2)) {
            for (DType[] types : lists) {
                for (int n : new int[] {1, 5}) {
                    long in = 512;
                    List<Tensor> weights = new ArrayList<>();
                    for (int p = 0; p < types.length; p++) {
                        weights.add(data.weights(types[p], OUTS[p % OUTS.length], in));
                    }
                    Tensor down = data.weights(DType.BF16, in, 43);
                    assertAgrees(other, operations(inputs(n, in, weights, true), pair(types[0], types[types.length - 1], n, in, true), down), tolerance(target, DType.BF16));
                }
            }
        }
    }

    /** A row has the same bits alone as among eight others, with and without adapters. */
    @ParameterizedTest
    @MethodSource("typesAndTargets")
    void rowsDoNotDependOnTheirBatch(DType type, Target target) {
        long[] sizes = inputs(type);
        long in = sizes[sizes.length - 1];
        Inputs inputs = inputs(type, 9, in, true);
        Inputs pair = pair(type, type, 9, in, true);
        Tensor down = data.weights(type.blockSize() == 1 ? type : DType.F16, in, 43);
        try (Backend other = target.open(2)) {
            List<List<Tensor>> want = operations(inputs, pair, down).stream().map(o -> o.apply(other)).toList();
            for (int i = 0; i < 9; i++) {
                List<Operation> alone = operations(inputs.row(i), pair.row(i), down);
                for (int o = 0; o < alone.size(); o++) {
                    List<Tensor> got = alone.get(o).apply(other);
                    for (int t = 0; t < got.size(); t++) {
                        assertArrayEquals(want.get(o).get(t).slice(i, i + 1).toFloats(), got.get(t).toFloats(), "operation " + o + ", row " + i);
                    }
                }
            }
        }
    }
}
