package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** activation, gated and softcap backwards, fill, convert, dropout and noise, against Java: short, and long enough to be shared by threads. */
@Tag("cuda")
class ElementBackwardTest {
    private static final int[] SIZES = {1, 5, 16, 37, 20_003};
    private final KernelData data = new KernelData();

    /** Values from -100 to 100, close together near 0. */
    private static Tensor ramp(int n) {
        Tensor x = KernelData.zeros(n);
        for (int i = 0; i < n; i++) {
            double t = n == 1 ? 0.3 : 2.0 * i / (n - 1) - 1;
            x.setFloat(i, (float) (100 * t * t * t));
        }
        return x;
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void activations(Target target) {
        for (Activation f : Activation.values()) {
            for (int n : SIZES) {
                Tensor x = ramp(n);
                Tensor up = data.normal(n);
                Tensor dy = data.normal(n);
                KernelData.compareGradients(target, List.of(dy), 2e-5, (g, out) -> g.activationBackward(out.getFirst(), out.getFirst(), x, f));
                KernelData.compareGradients(target, List.of(x, up), 2e-5, (g, out) -> g.gatedBackward(out.get(0), out.get(1), dy, out.get(0), out.get(1), f));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void softcap(Target target) {
        for (int n : SIZES) {
            Tensor y = KernelData.zeros(n);
            for (int i = 0; i < n; i++) {
                y.setFloat(i, 30 * (float) Math.tanh(i - n / 2));
            }
            KernelData.compareGradients(target, List.of(data.normal(n)), 1e-5, (g, out) -> g.softcapBackward(out.getFirst(), y, 30));
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void fill(Target target) {
        for (int n : SIZES) {
            KernelData.compareGradients(target, List.of(data.normal(n)), 0, (g, out) -> g.fill(out.getFirst(), 1.5f));
        }
    }

    /** Between all pairs of types: ordinary values, halfway cases, overflow, subnormals, infinities, zeros. */
    @ParameterizedTest
    @EnumSource(Target.class)
    void convert(Target target) {
        float[] values = new float[4099];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) Math.scalb(Math.sin(i) * 2, i % 60 - 35);
        }
        float[] special = {0, -0f, 1, 65504, 65519, 65520, -70000, 0x1p-14f, 0x1.ffcp-15f, 0x1p-24f, 0x1p-25f, 0x1.8p-25f, 0x1.002p0f, 0x1.006p0f, 0x1.01p0f,
                0x1.03p0f, Float.MAX_VALUE, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.MIN_VALUE};
        System.arraycopy(special, 0, values, 7, special.length);
        try (Backend java = new JavaBackend(); Backend other = target.open(3)) {
            for (DType from : new DType[] {DType.F32, DType.F16, DType.BF16}) {
                Tensor x = Tensor.allocate(Arena.ofAuto(), from, values.length);
                java.gradients().convert(x, Tensor.ofFloats(values, values.length));
                for (DType to : new DType[] {DType.F32, DType.F16, DType.BF16}) {
                    Tensor want = Tensor.allocate(Arena.ofAuto(), to, values.length);
                    Tensor got = Tensor.allocate(Arena.ofAuto(), to, values.length);
                    java.gradients().convert(want, x);
                    other.gradients().convert(got, x);
                    assertEquals(-1, want.data().mismatch(got.data()), () -> from + " to " + to);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void convertKeepsNaN(Target target) {
        Tensor nan = Tensor.ofFloats(new float[] {Float.NaN, Float.intBitsToFloat(0x7f800001), Float.intBitsToFloat(0xffc12345)}, 3);
        try (Backend other = target.open(1)) {
            for (DType to : new DType[] {DType.F16, DType.BF16}) {
                Tensor out = Tensor.allocate(Arena.ofAuto(), to, 3);
                other.gradients().convert(out, nan);
                int exponent = to == DType.F16 ? 0x7c00 : 0x7f80;
                for (int i = 0; i < 3; i++) {
                    int bits = out.data().get(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * i) & 0x7fff;
                    assertEquals(1, Integer.compare(bits, exponent), to + " of NaN " + i);
                }
            }
        }
    }

    /** The same random bits as Java's, whatever the seed. */
    @ParameterizedTest
    @EnumSource(Target.class)
    void dropoutAndNoise(Target target) {
        for (long seed : new long[] {0, 3, -1, Long.MIN_VALUE + 5}) {
            for (int n : SIZES) {
                Tensor x = data.normal(n);
                for (float p : new float[] {0, 0.05f, 0.7f}) {
                    KernelData.compareGradients(target, List.of(KernelData.zeros(n)), 1e-7, (g, out) -> g.dropout(out.getFirst(), x, p, seed));
                }
                KernelData.compareGradients(target, List.of(x), 1e-7, (g, out) -> g.dropout(out.getFirst(), out.getFirst(), 0.5f, seed));
                Tensor magnitude = data.normal(3);
                KernelData.compareGradients(target, List.of(data.normal(3, n)), 1e-6, (g, out) -> g.addNoise(out.getFirst(), magnitude, seed));
            }
        }
    }
}
