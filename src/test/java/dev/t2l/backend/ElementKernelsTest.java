package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.tensor.Tensor;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** add, activation, gated, softcap, against Java: short, long enough to be shared by threads, and over the whole range of values. */
@Tag("cuda")
class ElementKernelsTest {
    private static final int[] SIZES = {1, 5, 16, 37, 100_003};
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

    /** As {@code |got - want| <= 4e-6 * |want| + 1e-13}; below that, Java's {@code 1 + tanh} has no digits. */
    private static void assertRelative(Target target, Tensor x, BiConsumer<Backend, Tensor> kernel) {
        try (Backend java = new JavaBackend(); Backend other = target.open(2)) {
            Tensor want = KernelData.copy(x);
            Tensor got = KernelData.copy(x);
            kernel.accept(java, want);
            kernel.accept(other, got);
            for (long i = 0; i < x.elements(); i++) {
                float w = want.getFloat(i);
                float g = got.getFloat(i);
                float at = x.getFloat(i);
                assertTrue(Math.abs((double) g - w) <= 4e-6 * Math.abs(w) + 1e-13, () -> "f(" + at + ") is " + g + ", wanted " + w);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void adds(Target target) {
        for (int n : SIZES) {
            Tensor x = data.normal(n);
            KernelData.compare(target, data.normal(n), 1e-6, (b, y) -> b.add(y, x, 0.7f));
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void activates(Target target) {
        for (Activation f : Activation.values()) {
            for (int n : SIZES) {
                assertRelative(target, ramp(n), (b, x) -> b.activation(x, x, f));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void gates(Target target) {
        for (Activation f : Activation.values()) {
            for (int n : SIZES) {
                Tensor up = data.normal(n);
                assertRelative(target, ramp(n), (b, gate) -> b.gated(gate, gate, up, f));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void caps(Target target) {
        for (int n : SIZES) {
            assertRelative(target, ramp(n), (b, x) -> b.softcap(x, 30));
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void notANumberStays(Target target) {
        try (Backend other = target.open(1)) {
            for (Activation f : Activation.values()) {
                Tensor x = Tensor.ofFloats(new float[] {1, Float.NaN, 2}, 3);
                other.activation(x, x, f);
                assertTrue(Float.isNaN(x.getFloat(1)) && x.getFloat(0) > 0, f.name());
            }
            Tensor x = Tensor.ofFloats(new float[] {1, Float.NaN, 2}, 3);
            other.softcap(x, 5);
            assertTrue(Float.isNaN(x.getFloat(1)));
        }
    }
}
