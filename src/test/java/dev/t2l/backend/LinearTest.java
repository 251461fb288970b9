package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Products with weights of every type, in every instruction set. Rows: one (the kernel that reads w once), a full and a partial
 * tile, and more than the 96 that share an unpacked panel. Outputs: whole and partial groups of 4 and panels of 16. Inputs: one
 * block, several, and more than the 1024 of a panel's depth, so that sums pause in scratch.
 */
@Tag("cuda")
class LinearTest {
    private final KernelData data = new KernelData();

    static Stream<Arguments> typesAndSets() {
        Stream<DType> types = Stream.concat(Stream.of(DType.F32, DType.F16, DType.BF16, DType.F64), Arrays.stream(DType.values()).filter(DType::quantised));
        List<DType> all = types.toList();
        return Arrays.stream(Target.values()).flatMap(target -> all.stream().map(type -> Arguments.of(type, target)));
    }

    /** Of f32 sums (sizes here are none that the library takes for prefill: see {@link PrefillProductsTest}); on the GPU's tensor cores x is a sum of two bf16 values, 2^-17 of it off at most. */
    private static double tolerance(Target target, DType type) {
        boolean split = target.name().startsWith("CUDA") && type != DType.F32;
        return split ? 2e-6 + 0x1p-17 : 2e-6;
    }

    /** As {@code |got - want| <= tolerance * sum over k of |x w|}; a NaN fails. */
    private static void assertProduct(Target target, int threads, Tensor x, Tensor w, Tensor bias) {
        try (Backend java = new JavaBackend(); Backend other = target.open(threads)) {
            Tensor want = KernelData.zeros(x.rows(), w.rows());
            Tensor got = KernelData.zeros(x.rows(), w.rows());
            Tensor magnitude = KernelData.zeros(x.rows(), w.rows());
            java.linear(want, x, w, bias);
            java.linear(magnitude, absolute(x), absolute(w), bias == null ? null : absolute(bias));
            other.linear(got, x, w, bias);
            for (long i = 0; i < want.elements(); i++) {
                long place = i;
                assertTrue(Math.abs((double) got.getFloat(i) - want.getFloat(i)) <= tolerance(target, w.dtype()) * magnitude.getFloat(i),
                        () -> x + " " + w + ": value " + place + " is " + got.getFloat(place) + ", wanted " + want.getFloat(place));
            }
        }
    }

    private static Tensor absolute(Tensor t) {
        float[] values = t.toFloats();
        for (int i = 0; i < values.length; i++) {
            values[i] = Math.abs(values[i]);
        }
        return Tensor.ofFloats(values, t.shape());
    }

    @ParameterizedTest
    @MethodSource("typesAndSets")
    void agreesWithJava(DType type, Target target) {
        long block = type.blockSize();
        long[] inputs = block == 1 ? new long[] {1, 7, 16, 61, 1037} : new long[] {block, 3 * block, block == 32 ? 1120 : 1280};
        for (long in : inputs) {
            for (long out : new long[] {3, 21}) {
                Tensor w = data.weights(type, out, in);
                Tensor bias = data.weights(in % 2 == 0 ? DType.F16 : DType.F32, out);
                for (int n : new int[] {1, 2, 7}) {
                    assertProduct(target, 2, data.normal(n, in), w, n == 2 ? bias : null);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void agreesWithJavaWhereThreadsShareTheWork(Target target) {
        for (DType type : List.of(DType.F32, DType.Q4_1, DType.Q6_K)) {
            Tensor w = data.weights(type, 333, 512);
            assertProduct(target, 3, data.normal(1, 512), w, null);
            assertProduct(target, 3, data.normal(101, 512), w, data.weights(DType.BF16, 333));
        }
    }

    /** The same bits for a row alone, in any batch, in any slot, with any number of threads, and a second time. */
    @ParameterizedTest
    @MethodSource("typesAndSets")
    void rowsDoNotDependOnBatchOrThreads(DType type, Target target) {
        int in = type.blockSize() == 1 ? 1101 : type.blockSize() == 32 ? 1088 : 1280;
        int out = 70;
        int rows = 101;
        Tensor w = data.weights(type, out, in);
        Tensor bias = data.normal(out);
        Tensor x = data.normal(rows, in);
        float[] want = new float[rows * out];
        try (Backend other = target.open(1)) {
            Tensor y = KernelData.zeros(1, out);
            for (int i = 0; i < rows; i++) {
                other.linear(y, x.slice(i, i + 1), w, bias);
                System.arraycopy(y.toFloats(), 0, want, i * out, out);
            }
        }
        for (int threads : new int[] {1, 2, 5}) {
            try (Backend other = target.open(threads)) {
                for (int[] range : new int[][] {{0, 101}, {0, 101}, {3, 5}, {50, 53}, {1, 100}, {100, 101}}) {
                    Tensor y = KernelData.zeros(range[1] - range[0], out);
                    other.linear(y, x.slice(range[0], range[1]), w, bias);
                    assertArrayEquals(Arrays.copyOfRange(want, range[0] * out, range[1] * out), y.toFloats(), "rows " + Arrays.toString(range));
                }
            }
        }
    }

    /** Results of concurrent calls from several Java threads are those of calls one after the other. */
    @ParameterizedTest
    @EnumSource(Target.class)
    void callsFromSeveralThreads(Target target) {
        Tensor w = data.weights(DType.Q4_0, 400, 512);
        List<Tensor> inputs = IntStream.range(0, 8).mapToObj(i -> data.normal(i % 2 == 0 ? 1 : 9, 512)).toList();
        try (Backend other = target.open(2)) {
            List<float[]> want = inputs.stream().map(x -> product(other, x, w)).toList();
            IntStream.range(0, 400).parallel().forEach(i -> assertArrayEquals(want.get(i % 8), product(other, inputs.get(i % 8), w)));
        }
    }

    private static float[] product(Backend backend, Tensor x, Tensor w) {
        Tensor y = KernelData.zeros(x.rows(), w.rows());
        backend.linear(y, x, w, null);
        return y.toFloats();
    }
}
