package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Elements;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Layers of encoders against Java's plain operations: sizes that the GPU's fused layers take (bf16, multiples of 64, heads of a multiple of 16
 * up to 64) and those they do not, gated and not, with and without rotary positions and biases; rows that fill no tile, and several.
 */
@Tag("cuda")
class EncoderLayersTest {
    private static final float EPS = 1e-5f;
    private final KernelData data = new KernelData();

    /** Weights of an encoder. */
    private record Shape(DType type, int heads, int headDim, int inner, boolean gated, boolean rotary, boolean biased) {
        int hidden() {
            return heads * headDim;
        }
    }

    private record Layer(List<Tensor> weights, List<Tensor> biases, List<AffineNorm> norms) {
    }

    private List<Layer> layers(Shape s, int count) {
        List<Layer> layers = new ArrayList<>();
        for (int l = 0; l < count; l++) {
            int h = s.hidden();
            List<Tensor> weights = new ArrayList<>();
            List<Tensor> biases = new ArrayList<>();
            for (int[] size : new int[][] {{h, h}, {h, h}, {h, h}, {h, h}, {s.inner(), h}, {s.inner(), h}, {h, s.inner()}}) {
                weights.add(small(s.type(), size));
                biases.add(s.biased() ? data.normal(size[0]) : null);
            }
            List<AffineNorm> norms = List.of(new AffineNorm(data.normal(h), data.normal(h), EPS), new AffineNorm(data.weights(DType.BF16, h), data.weights(DType.BF16, h), EPS));
            layers.add(new Layer(weights, biases, norms));
        }
        return layers;
    }

    /** So that sums over a row are of ordinary size, and a softmax is of several. */
    private Tensor small(DType type, int[] size) {
        Tensor w = data.weights(DType.F32, size[0], size[1]);
        Tensor there = Tensor.allocate(Arena.ofAuto(), type, size[0], size[1]);
        for (long i = 0; i < w.elements(); i++) {
            float v = (float) (w.getFloat(i) / Math.sqrt(size[1]));
            if (type == DType.F32) {
                there.setFloat(i, v);
            } else {
                there.data().set(ValueLayout.JAVA_SHORT, 2 * i, Elements.floatToBfloat16(v));
            }
        }
        return there;
    }

    /** What the layers make of rows [n, hidden], sequences of these lengths one behind the other. */
    private static float[] run(Backend b, Shape s, List<Layer> layers, Tensor input, int... lengths) {
        long n = input.rows();
        long h = s.hidden();
        Tensor x = KernelData.copy(input);
        Tensor branch = KernelData.zeros(n, h);
        Tensor query = KernelData.zeros(n, h);
        Tensor key = KernelData.zeros(n, h);
        Tensor value = KernelData.zeros(n, h);
        Tensor gate = KernelData.zeros(n, s.inner());
        Tensor up = KernelData.zeros(n, s.inner());
        List<EncoderLayer> all = layers.stream().map(l -> new EncoderLayer(product(l, 0, query), product(l, 1, key), product(l, 2, value), product(l, 3, branch),
                l.norms().get(0), s.gated() ? product(l, 4, gate) : null, product(l, 5, up), product(l, 6, branch), l.norms().get(1))).toList();
        Tensor ranges = Tensor.allocate(Arena.ofAuto(), DType.I32, n, 2);
        Tensor angles = KernelData.zeros(n, s.headDim());
        int row = 0;
        for (int length : lengths) {
            for (int i = 0; i < length; i++) {
                ranges.setInt(2L * (row + i), row);
                ranges.setInt(2L * (row + i) + 1, row + length);
                for (int j = 0; j < s.headDim() / 2; j++) {
                    double angle = i * Math.pow(1e4, -2.0 * j / s.headDim());
                    angles.setFloat((long) (row + i) * s.headDim() + j, (float) Math.cos(angle));
                    angles.setFloat((long) (row + i) * s.headDim() + s.headDim() / 2 + j, (float) Math.sin(angle));
                }
            }
            row += length;
        }
        var spec = new AttentionSpec(s.heads(), s.heads(), s.headDim(), (float) (1 / Math.sqrt(s.headDim())), 0, 0);
        b.encoderLayers(x, all, new EncoderRows(KernelData.zeros(n, h), s.rotary() ? angles : null, ranges, spec, s.gated() ? Activation.GELU : Activation.RELU));
        return x.toFloats();
    }

    private static Product product(Layer layer, int i, Tensor y) {
        return new Product(y, layer.weights().get(i), layer.biases().get(i), null);
    }

    static Stream<Shape> shapes() {
        return Stream.of(new Shape(DType.BF16, 2, 64, 320, true, true, true), new Shape(DType.BF16, 3, 64, 192, false, false, true),
                new Shape(DType.BF16, 4, 32, 1024, true, true, false), new Shape(DType.BF16, 12, 16, 64, false, true, true), new Shape(DType.BF16, 4, 48, 128, true, false, false),
                new Shape(DType.BF16, 3, 40, 128, true, true, true), new Shape(DType.BF16, 2, 64, 100, true, true, true), new Shape(DType.F32, 2, 64, 128, true, true, true));
    }

    @ParameterizedTest
    @MethodSource("shapes")
    void agreesWithJava(Shape s) {
        List<Layer> layers = layers(s, 3);
        for (Target target : new Target[] {Target.BASELINE, Target.CUDA}) {
            try (Backend java = new JavaBackend(); Backend other = target.open(1)) {
                for (int[] lengths : new int[][] {{1}, {16}, {5, 12}, {33}, {40, 1, 7}, {64}, {70}, {100}, {70, 3, 60}}) {
                    Tensor x = data.normal(Arrays.stream(lengths).sum(), s.hidden());
                    KernelData.assertNear(run(java, s, layers, x, lengths), run(other, s, layers, x, lengths), 5e-5);
                }
            }
        }
    }

    /** Of one or of many, padded or not: each sequence has the same bits. */
    @ParameterizedTest
    @EnumSource(names = {"BASELINE", "CUDA"})
    void sequencesDoNotDependOnTheirBatch(Target target) {
        var s = new Shape(DType.BF16, 2, 64, 320, true, true, true);
        List<Layer> layers = layers(s, 2);
        int[] lengths = {9, 48, 70, 1, 30, 130};
        Tensor all = data.normal(Arrays.stream(lengths).sum(), s.hidden());
        try (Backend b = target.open(1)) {
            float[] together = run(b, s, layers, all, lengths);
            int row = 0;
            for (int length : lengths) {
                float[] want = Arrays.copyOfRange(together, row * s.hidden(), (row + length) * s.hidden());
                assertArrayEquals(want, run(b, s, layers, all.slice(row, row + length), length), length + " rows alone");
                row += length;
            }
            assertArrayEquals(together, run(b, s, layers, all, lengths), "again");
        }
    }

    @Test
    void recordingsGiveTheSameBits() {
        var s = new Shape(DType.BF16, 2, 64, 320, true, true, true);
        List<Layer> layers = layers(s, 3);
        Tensor x = data.normal(41, s.hidden());
        try (Backend direct = Target.CUDA.open(1); Backend recorded = HostTensors.recorded(CudaPass.open())) {
            assertArrayEquals(run(direct, s, layers, x, 40, 1), run(recorded, s, layers, x, 40, 1));
        }
    }
}
