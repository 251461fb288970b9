package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The GPU's products of 16-bit weights outside prefill and decoding, alone and with what comes after them, against Java: by panels where
 * the device has them, by tiles where it has none, is told not to use them, or in is no multiple of 64. Rows: every size of panel, whole
 * and not, and several; outputs: less than a unit, several, no multiple of four; in: one slice and eight.
 */
@Tag("cuda")
class CudaPanelsTest {
    private static final int[] ROWS = {1, 7, 16, 21, 33, 64, 90, 128, 129, 300};
    private static final int IN = 512;
    private static final int OUT = 139;
    private final KernelData data = new KernelData();

    @AfterEach
    void forgetTheChoice() {
        System.clearProperty("t2l.cuda.panels");
    }

    /** What a row's products are: y, z and v side by side, of one input and any adapters on y and v. */
    private record Layer(Tensor y, Tensor z, Tensor v, Tensor bias) {
        float[] products(Backend b, Tensor x, LoraRows onY, LoraRows onV) {
            int n = (int) x.rows();
            List<Product> products = List.of(new Product(KernelData.zeros(n, y.rows()), y, bias, onY), new Product(KernelData.zeros(n, z.rows()), z, null, null),
                    new Product(KernelData.zeros(n, v.rows()), v, bias, onV), new Product(KernelData.zeros(n, y.rows()), y, null, null),
                    new Product(KernelData.zeros(n, z.rows()), z, null, null));
            b.products(x, products);
            return sideBySide(products.stream().map(Product::y).toList());
        }

        float[] gated(Backend b, Tensor x, LoraRows onY, LoraRows onV, Activation f) {
            var gate = new Product(KernelData.zeros(x.rows(), y.rows()), y, bias, onY);
            var up = new Product(KernelData.zeros(x.rows(), v.rows()), v, null, onV);
            b.gatedProduct(null, x, null, gate, up, f);
            return gate.y().toFloats();
        }

        float[] added(Backend b, Tensor sum, Tensor x, LoraRows onY) {
            Tensor all = KernelData.copy(sum);
            b.addProduct(all, x, new Product(KernelData.zeros(x.rows(), y.rows()), y, bias, onY));
            return all.toFloats();
        }

        float[] activated(Backend b, Tensor x, Activation f, Tensor residual) {
            Tensor out = KernelData.zeros(x.rows(), y.rows());
            b.activatedLinear(out, x, y, bias, f, residual);
            return out.toFloats();
        }

        float[] linear(Backend b, Tensor x) {
            Tensor out = KernelData.zeros(x.rows(), y.rows());
            b.linear(out, x, y, bias);
            return out.toFloats();
        }
    }

    private Layer layer(DType type, long out, long in) {
        return new Layer(data.weights(type, out, in), data.weights(type, 24, in), data.weights(type, out, in), data.normal(out));
    }

    private static float[] sideBySide(List<Tensor> parts) {
        int rows = (int) parts.getFirst().rows();
        int width = parts.stream().mapToInt(t -> (int) t.cols()).sum();
        float[] all = new float[rows * width];
        int at = 0;
        for (Tensor part : parts) {
            float[] values = part.toFloats();
            int cols = (int) part.cols();
            for (int i = 0; i < rows; i++) {
                System.arraycopy(values, i * cols, all, i * width + at, cols);
            }
            at += cols;
        }
        return all;
    }

    /** The norm of the difference, as a share of that of {@code want}, is that of an x of 16 bits. */
    private static void assertNear(float[] want, float[] got, String what) {
        double norm = 0;
        double difference = 0;
        for (int i = 0; i < want.length; i++) {
            norm += (double) want[i] * want[i];
            difference += ((double) got[i] - want[i]) * ((double) got[i] - want[i]);
        }
        double error = Math.sqrt(difference / norm);
        assertTrue(error <= 2e-5, () -> what + ": error " + error);
    }

    static Stream<Arguments> sizes() {
        return Stream.of(Arguments.of(DType.BF16, 64, OUT), Arguments.of(DType.BF16, 192, 33), Arguments.of(DType.BF16, 2048, 256),
                Arguments.of(DType.BF16, 64, 9000), Arguments.of(DType.BF16, 69, OUT), Arguments.of(DType.BF16, 72, OUT), Arguments.of(DType.F16, 128, OUT));
    }

    @ParameterizedTest
    @MethodSource("sizes")
    void agreesWithJava(DType type, int in, int out) {
        Layer l = layer(type, out, in);
        try (Backend java = new JavaBackend(); Backend cuda = Target.CUDA.open(1)) {
            for (int n : out > 1000 ? new int[] {5, 130} : ROWS) {
                Tensor x = data.normal(n, in);
                Tensor sum = data.normal(n, out);
                assertNear(l.linear(java, x), l.linear(cuda, x), "linear of " + n);
                for (boolean adapted : new boolean[] {false, true}) {
                    LoraRows onY = adapted ? data.adapters(n, in, out, 0) : null;
                    LoraRows onV = adapted ? data.adapters(n, in, out, 0) : null;
                    String rows = (adapted ? "adapted " : "") + "rows: " + n;
                    assertNear(l.products(java, x, onY, onV), l.products(cuda, x, onY, onV), "products, " + rows);
                    assertNear(l.gated(java, x, onY, onV, Activation.SILU), l.gated(cuda, x, onY, onV, Activation.SILU), "gated, " + rows);
                    assertNear(l.added(java, sum, x, onY), l.added(cuda, sum, x, onY), "added, " + rows);
                }
                for (Activation f : n == 7 ? Activation.values() : new Activation[] {Activation.SILU}) {
                    assertNear(l.activated(java, x, f, null), l.activated(cuda, x, f, null), f + " of " + n);
                    assertNear(l.activated(java, x, f, sum), l.activated(cuda, x, f, sum), f + " and residual of " + n);
                    assertNear(l.gated(java, x, null, null, f), l.gated(cuda, x, null, null, f), f + " gated of " + n);
                }
            }
        }
    }

    /** Each number of rows, and rows without adapters wherever others have some: the same bits. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void rowsDoNotDependOnTheirBatch(boolean panels) {
        System.setProperty("t2l.cuda.panels", String.valueOf(panels));
        int n = 300;
        Layer l = layer(DType.BF16, OUT, IN);
        Tensor x = data.normal(n, IN);
        Tensor sum = data.normal(n, OUT);
        LoraRows onY = data.adapters(n, IN, OUT, 0);
        LoraRows onV = data.adapters(n, IN, OUT, 0);
        try (Backend cuda = Target.CUDA.open(1)) {
            List<float[]> adapted = results(cuda, l, x, sum, onY, onV);
            List<float[]> bare = results(cuda, l, x, sum, null, null);
            for (int rows : ROWS) {
                for (int from : new int[] {0, 41, n - rows}) {
                    int to = Math.min(n, from + rows);
                    Tensor some = x.slice(from, to);
                    String where = "rows " + from + " to " + to;
                    Tensor onto = sum.slice(from, to);
                    assertRows(adapted, results(cuda, l, some, onto, KernelData.rows(onY, from, to), KernelData.rows(onV, from, to)), from, to, where);
                    assertRows(bare, results(cuda, l, some, onto, null, null), from, to, where);
                }
            }
            for (int i = 0; i < n; i++) {
                if (without(onY, i) && without(onV, i)) {
                    List<float[]> own = new ArrayList<>();
                    for (float[] all : adapted) {
                        own.add(Arrays.copyOfRange(all, i * (all.length / n), (i + 1) * (all.length / n)));
                    }
                    assertRows(bare, own, i, i + 1, "row " + i + " has no adapters");
                }
            }
        }
    }

    private static boolean without(LoraRows rows, int i) {
        return rows.slots().getInt(2L * i) < 0 && rows.slots().getInt(2L * i + 1) < 0;
    }

    private static List<float[]> results(Backend b, Layer l, Tensor x, Tensor sum, LoraRows onY, LoraRows onV) {
        return List.of(l.linear(b, x), l.products(b, x, onY, onV), l.gated(b, x, onY, onV, Activation.GELU), l.added(b, sum, x, onY),
                l.activated(b, x, Activation.SILU, sum));
    }

    private static void assertRows(List<float[]> want, List<float[]> got, int from, int to, String where) {
        for (int i = 0; i < want.size(); i++) {
            int width = got.get(i).length / (to - from);
            assertArrayEquals(Arrays.copyOfRange(want.get(i), from * width, to * width), got.get(i), "operation " + i + ", " + where);
        }
    }

    @Test
    void panelsCanBeTurnedOff() {
        Layer l = layer(DType.BF16, OUT, IN);
        Tensor x = data.normal(33, IN);
        float[] choice = withPanels("true", l, x);
        assertNear(choice, withPanels("false", l, x), "without panels");
    }

    private static float[] withPanels(String value, Layer l, Tensor x) {
        System.setProperty("t2l.cuda.panels", value);
        try (Backend cuda = Target.CUDA.open(1)) {
            return l.linear(cuda, x);
        }
    }

    /** Two modules of a hypernetwork whose heads make all ranks at once, A's and B's columns side by side or in common. */
    @ParameterizedTest
    @MethodSource("sizes")
    void headsAgreeWithJava(DType type, int in, int out) {
        int rank = 3;
        int a = 21;
        int b = Math.min(out, 200);
        for (boolean shared : new boolean[] {false, true}) {
            for (int[] batch : new int[][] {{1, 7}, {1, 32}, {2, 20}, {5, 33}}) {
                List<Head> heads = List.of(head(type, in, batch, rank, a, b, shared), head(type, in, batch, rank, b, a, shared));
                Tensor scratch = KernelData.zeros(2L * batch[0] * batch[1], (long) rank * (a + b));
                List<float[]> results = new ArrayList<>();
                for (Target target : new Target[] {null, Target.CUDA}) {
                    try (Backend backend = target == null ? new JavaBackend() : target.open(1)) {
                        heads.forEach(h -> h.cuts().forEach(cut -> cut.out().data().fill((byte) -1)));
                        backend.heads(heads, scratch);
                        results.add(factors(heads));
                    }
                }
                assertNear(results.get(0), results.get(1), Arrays.toString(batch) + (shared ? ", shared" : ""));
            }
        }
    }

    /** @param batch descriptions and layers */
    private Head head(DType type, int in, int[] batch, int rank, int a, int b, boolean shared) {
        int rows = batch[0] * batch[1];
        int width = rank * (shared ? Math.max(a, b) : a + b);
        Tensor[] scale = {data.normal(batch[1], rank, a), data.normal(batch[1], b, rank)};
        Tensor[] shift = {data.normal(batch[1], rank, a), data.normal(batch[1], b, rank)};
        List<Head.Cut> cuts = new ArrayList<>();
        for (int d = 0; d < batch[0]; d++) {
            long first = (long) d * batch[1] * width;
            long second = shared ? first + (long) rows * width : first + (long) rank * a;
            cuts.add(new Head.Cut(KernelData.zeros(batch[1], rank, a), new LoraFactor(first, width, shared ? width / rank : a, false), scale[0], shift[0]));
            cuts.add(new Head.Cut(KernelData.zeros(batch[1], b, rank), new LoraFactor(second, width, shared ? width / rank : b, true), scale[1], shift[1]));
        }
        return new Head(data.normal(shared ? 2L * rows : rows, in), data.weights(type, width, in), data.normal(width), cuts);
    }

    private static float[] factors(List<Head> heads) {
        List<Tensor> all = heads.stream().flatMap(h -> h.cuts().stream()).map(Head.Cut::out).toList();
        return sideBySide(all.stream().map(t -> t.reshape(1, t.elements())).toList());
    }
}
