package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The GPU's products for many rows, alone and with what comes before and after them, against Java: with a library's products (bf16
 * weights, sizes that are multiples of eight) and without. Two of k's and v's size go together, q's does not. Adapters on q and v only.
 */
@Tag("cuda")
class PrefillProductsTest {
    private static final int IN = 136;
    private static final int OUT = 264;
    private static final int SMALL = 72;
    private static final int WIDE = 320;
    private final KernelData data = new KernelData();

    @AfterEach
    void forgetTheChoice() {
        System.clearProperty("t2l.cuda.gemm");
    }

    /** A layer's worth of weights; y tensors are made for each call. */
    private record Layer(Norm norm, Tensor q, Tensor k, Tensor v, Tensor bias, Tensor gate, Tensor up, Tensor down) {
    }

    private Layer layer(DType type, long in) {
        return new Layer(new Norm(data.normal(in), 1e-5f, 1), data.weights(type, OUT, in), data.weights(type, SMALL, in), data.weights(type, SMALL, in), data.normal(OUT),
                data.weights(type, WIDE, in), data.weights(type, WIDE, in), data.weights(type, in, WIDE));
    }

    private static Tensor zeros(int n, Tensor w) {
        return KernelData.zeros(n, w.rows());
    }

    /** q, k and v of the normed rows, one after the other. */
    private static float[] attention(Backend b, Layer l, Tensor x, LoraRows onQ, LoraRows onV) {
        int n = (int) x.rows();
        List<Product> products = List.of(new Product(zeros(n, l.q()), l.q(), l.bias(), onQ), new Product(zeros(n, l.k()), l.k(), null, null),
                new Product(zeros(n, l.v()), l.v(), null, onV));
        b.normedProducts(KernelData.zeros(n, x.cols()), x, l.norm(), products);
        Tensor all = KernelData.zeros(n, OUT + 2L * SMALL);
        for (int i = 0; i < n; i++) {
            long at = 0;
            for (Product p : products) {
                for (long o = 0; o < p.y().cols(); o++) {
                    all.setFloat(i * all.cols() + at++, p.y().getFloat(i * p.y().cols() + o));
                }
            }
        }
        return all.toFloats();
    }

    private static float[] mlp(Backend b, Layer l, Tensor x, LoraRows onGate, LoraRows onDown) {
        int n = (int) x.rows();
        Tensor sum = KernelData.copy(x);
        b.gatedMlp(KernelData.zeros(n, x.cols()), sum, l.norm(), new Product(zeros(n, l.gate()), l.gate(), null, onGate),
                new Product(zeros(n, l.up()), l.up(), null, null), new Product(zeros(n, l.down()), l.down(), null, onDown), Activation.SILU);
        return sum.toFloats();
    }

    private static float[] residual(Backend b, Layer l, Tensor x, Tensor in, LoraRows onDown) {
        Tensor sum = KernelData.copy(x);
        b.addProduct(sum, in, new Product(zeros((int) x.rows(), l.down()), l.down(), null, onDown));
        return sum.toFloats();
    }

    /** Rounding x to bf16 costs 2^-9 of a term at most, a third of which remains of many; our tiles' x has 16 bits. */
    private static double tolerance(DType type, boolean rounded) {
        return rounded ? 5e-3 : type == DType.F32 ? 2e-6 : 2e-5;
    }

    static Stream<DType> types() {
        return Stream.of(DType.BF16, DType.F16, DType.F32);
    }

    @ParameterizedTest
    @MethodSource("types")
    void agreesWithJava(DType type) {
        for (long in : new long[] {IN, 69}) { // 69: not the library's
            Layer l = layer(type, in);
            double tolerance = tolerance(type, type == DType.BF16 && in == IN);
            for (int n : new int[] {1, 7, 300}) {
                Tensor x = data.normal(n, in);
                Tensor wide = data.normal(n, WIDE);
                for (int headDim : new int[] {0, 12}) {
                    LoraRows onQ = data.adapters(n, in, OUT, headDim);
                    LoraRows onV = data.adapters(n, in, SMALL, 0);
                    LoraRows onGate = data.adapters(n, in, WIDE, 0);
                    LoraRows onDown = data.adapters(n, WIDE, in, 0);
                    try (Backend java = new JavaBackend(); Backend cuda = Target.CUDA_PREFILLING.open(1)) {
                        KernelData.assertNear(attention(java, l, x, null, null), attention(cuda, l, x, null, null), tolerance);
                        KernelData.assertNear(attention(java, l, x, onQ, onV), attention(cuda, l, x, onQ, onV), tolerance);
                        KernelData.assertNear(mlp(java, l, x, null, null), mlp(cuda, l, x, null, null), tolerance);
                        KernelData.assertNear(mlp(java, l, x, onGate, onDown), mlp(cuda, l, x, onGate, onDown), tolerance);
                        KernelData.assertNear(residual(java, l, x, wide, onDown), residual(cuda, l, x, wide, onDown), tolerance);
                    }
                }
            }
        }
    }

    /** And rows without adapters do not depend on those that others have. */
    @Test
    void rowsDoNotDependOnTheirBatch() {
        int n = 300;
        Layer l = layer(DType.BF16, IN);
        Tensor x = data.normal(n, IN);
        LoraRows onQ = data.adapters(n, IN, OUT, 0);
        LoraRows onV = data.adapters(n, IN, SMALL, 0);
        LoraRows onDown = data.adapters(n, WIDE, IN, 0);
        try (Backend cuda = Target.CUDA_PREFILLING.open(1)) {
            float[] want = attention(cuda, l, x, onQ, onV);
            float[] wantMlp = mlp(cuda, l, x, null, onDown);
            float[] bare = attention(cuda, l, x, null, null);
            int width = want.length / n;
            for (int[] range : new int[][] {{0, 300}, {0, 1}, {41, 42}, {50, 53}, {100, 229}, {299, 300}}) {
                int from = range[0];
                int to = range[1];
                String where = "rows " + from + " to " + to;
                assertArrayEquals(Arrays.copyOfRange(want, from * width, to * width),
                        attention(cuda, l, x.slice(from, to), KernelData.rows(onQ, from, to), KernelData.rows(onV, from, to)), where);
                assertArrayEquals(Arrays.copyOfRange(wantMlp, from * IN, to * IN), mlp(cuda, l, x.slice(from, to), null, KernelData.rows(onDown, from, to)), where);
            }
            int without = 1;
            while (onQ.slots().getInt(2L * without) >= 0) {
                without++;
            }
            assertArrayEquals(Arrays.copyOfRange(bare, without * width, (without + 1) * width), Arrays.copyOfRange(want, without * width, (without + 1) * width));
        }
    }

    /** Sizes of SmolLM2 and of Mistral, forwards and backwards, for numbers of rows that divide nothing. */
    @ParameterizedTest
    @CsvSource({"576, 49152", "576, 192", "1536, 576", "576, 1536", "4096, 1024", "4096, 14336", "4096, 32000"})
    void anyNumberOfRowsOfARealSize(int in, int out) {
        Tensor w = data.weights(DType.BF16, out, in);
        int n = 292;
        Tensor x = data.normal(n, in);
        float[] all = product(x, w);
        try (Backend cuda = Target.CUDA_PREFILLING.open(1)) {
            Tensor dx = KernelData.zeros(n, in);
            Tensor dy = data.normal(n, out);
            cuda.gradients().linearBackward(dx, dy, w, false);
            float[] back = dx.toFloats();
            for (int rows : new int[] {1, 2, 100, 132, 173}) {
                assertArrayEquals(Arrays.copyOf(all, rows * out), product(x.slice(0, rows), w), rows + " rows");
                Tensor part = KernelData.zeros(rows, in);
                cuda.gradients().linearBackward(part, dy.slice(0, rows), w, false);
                assertArrayEquals(Arrays.copyOf(back, rows * in), part.toFloats(), rows + " rows backwards");
            }
        }
        try (Backend cuda = Target.CUDA.open(1)) {
            Tensor y = KernelData.zeros(n, out);
            cuda.linear(y, x, w, null);
            KernelData.assertNear(y.toFloats(), all, 5e-3);
        }
    }

    /** Two products of one size go together where their weights and results lie so that they can, with the same bits as one by one. */
    @ParameterizedTest
    @CsvSource({"512, 64", "576, 192", "4096, 1024"})
    void neighboursInAnyOrder(int in, int out) {
        Target.CUDA.open(1).close();
        Tensor x = data.normal(33, in);
        List<Tensor> w = List.of(data.weights(DType.BF16, out, in), data.weights(DType.BF16, out, in));
        List<float[]> want = w.stream().map(one -> product(x, one)).toList();
        try (Backend cuda = CudaBackend.open(); Memory memory = cuda.allocate(4L * 2 * 33 * out); Arena arena = Arena.ofConfined()) {
            Tensor there = cuda.place(x);
            List<Tensor> placed = w.stream().map(cuda::place).toList();
            Tensor results = Tensor.of(DType.F32, memory.segment(), 2, 33, out);
            for (int first : new int[] {0, 1}) {
                for (int top : new int[] {0, 1}) {
                    List<Product> products = Stream.of(first, 1 - first).map(i -> new Product(results.get(i ^ top), placed.get(i), null, null)).toList();
                    cuda.prefilling().products(there, products);
                    for (int i : new int[] {0, 1}) {
                        assertArrayEquals(want.get(i), cuda.host(arena, results.get(i ^ top)).toFloats());
                    }
                }
            }
        }
    }

    /** Fails, or skips the test, where there is no cublasLt. */
    private static void needsALibrary() {
        Target.CUDA.open(1).close();
        System.setProperty("t2l.cuda.gemm", "cublaslt");
        Target.CUDA.open(1).close();
        System.clearProperty("t2l.cuda.gemm");
    }

    @ParameterizedTest
    @EnumSource(names = {"Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q6_K"})
    void quantisedWeightsGoToTheLibraryIfAsked(DType type) {
        Tensor w = data.weights(type, 64, 512);
        Tensor x = data.normal(33, 512);
        float[] own = product(x, w);
        System.setProperty("t2l.cuda.gemm", "cublaslt");
        float[] library = product(x, w);
        KernelData.assertNear(own, library, 4e-3);
        assertFalse(Arrays.equals(own, library), "activations were not rounded");
    }

    @Test
    void ownProductsIfAsked() {
        needsALibrary();
        Tensor w = data.weights(DType.BF16, 64, 512);
        Tensor x = data.normal(33, 512);
        float[] library = product(x, w);
        System.setProperty("t2l.cuda.gemm", "own");
        float[] own = product(x, w);
        KernelData.assertNear(own, library, 4e-3);
        assertFalse(Arrays.equals(own, library), "activations were not rounded");
        try (Backend cuda = Target.CUDA.open(1)) {
            Tensor y = KernelData.zeros(33, 64);
            cuda.linear(y, x, w, null);
            assertArrayEquals(y.toFloats(), own, "the plain view");
        }
    }

    private static float[] product(Tensor x, Tensor w) {
        Tensor y = KernelData.zeros(x.rows(), w.rows());
        try (Backend cuda = Target.CUDA_PREFILLING.open(1)) {
            cuda.linear(y, x, w, null);
        }
        return y.toFloats();
    }

    @Test
    void anotherChoiceIsRefused() {
        Target.CUDA.open(1).close();
        System.setProperty("t2l.cuda.gemm", "cutlass");
        String message = assertThrows(BackendUnavailableException.class, CudaBackend::open).getMessage();
        assertEquals("-Dt2l.cuda.gemm=cutlass: wanted auto, own or cublaslt", message);
    }

    @Test
    void aLibrarysProductsFromSeveralThreads() {
        Tensor w = data.weights(DType.BF16, 256, 512);
        List<Tensor> inputs = Stream.of(1, 9, 300, 33).map(n -> data.normal(n, 512)).toList();
        List<float[]> want = inputs.stream().map(x -> product(x, w)).toList();
        try (Backend cuda = Target.CUDA_PREFILLING.open(1)) {
            Stream.iterate(0, i -> i + 1).limit(200).parallel().forEach(i -> {
                Tensor x = inputs.get(i % 4);
                Tensor y = KernelData.zeros(x.rows(), 256);
                cuda.linear(y, x, w, null);
                assertArrayEquals(want.get(i % 4), y.toFloats());
            });
        }
    }
}
