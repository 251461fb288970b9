package dev.t2l.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.ValueLayout;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class QuantiseTest {
    private static final int BLOCKS = 192;

    /** Blocks of six kinds: uniform, halves that must be rounded away from zero, zeros, tiny, all positive, a ramp with ties. */
    private static float[] values() {
        float[] values = new float[32 * BLOCKS];
        long state = 12345;
        for (int i = 0; i < values.length; i++) {
            state = state * 1103515245 + 12345 & 0x7fffffff;
            float x = ((state >> 8) - (1 << 22)) / (float) (1 << 22);
            values[i] = switch (i / 32 % 6) {
                case 0 -> x;
                case 1 -> (float) (Math.rint(x * 254.0) / 2) + 0f; // no negative zero
                case 2 -> 0;
                case 3 -> x * 0x1p-20f;
                case 4 -> Math.abs(x) + 3;
                default -> (i % 32 - 16) * 0.5f;
            };
        }
        return values;
    }

    /** Checksums of what gguf-py 0.19.0 ({@code gguf.quants.quantize}) makes of the same values. */
    @ParameterizedTest
    @CsvSource({"F32, a4cf2d8c", "F16, 50d49e01", "BF16, 4869ee10", "Q8_0, ea69024e", "Q4_0, 9fbecd81", "Q4_1, 9a7587d5", "Q5_0, 1264b00e", "Q5_1, 35b1972"})
    void bitsAreThoseOfTheReference(DType dtype, String crc) {
        Tensor made = Quantise.tensor(Tensor.ofFloats(values(), 6, 32 * BLOCKS / 6), dtype);
        var sum = new CRC32();
        sum.update(made.data().asSlice(0, made.bytes()).toArray(ValueLayout.JAVA_BYTE));
        assertEquals(crc, Long.toHexString(sum.getValue()));
    }

    @ParameterizedTest
    @CsvSource({"F16, 0.0005", "BF16, 0.004", "Q8_0, 0.005", "Q4_0, 0.13", "Q4_1, 0.07", "Q5_0, 0.07", "Q5_1, 0.04"})
    void valuesComeBackWithinTheirStep(DType dtype, float ofLargest) {
        float[] want = values();
        float[] got = Quantise.tensor(Tensor.ofFloats(want, 1, want.length), dtype).toFloats();
        for (int block = 0; block < want.length; block += 32) {
            float largest = 1e-7f; // of f16 subnormals as scales
            for (int i = block; i < block + 32; i++) {
                largest = Math.max(largest, Math.abs(want[i]));
            }
            for (int i = block; i < block + 32; i++) {
                assertEquals(want[i], got[i], ofLargest * largest + 1e-6f);
            }
        }
    }

    @Test
    void whatCannotBeHeldIsRefused() {
        Tensor large = Tensor.ofFloats(new float[] {70000}, 1);
        assertTrue(assertThrows(IllegalArgumentException.class, () -> Quantise.tensor(large, DType.F16)).getMessage().contains("BF16"));
        assertThrows(IllegalArgumentException.class, () -> Quantise.tensor(large, DType.Q8_0));
        assertThrows(IllegalArgumentException.class, () -> Quantise.tensor(Tensor.ofFloats(new float[256], 256), DType.Q4_K));
    }
}
