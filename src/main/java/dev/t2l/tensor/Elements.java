package dev.t2l.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Host elements of any float or block-quantised type, read as f32. */
public final class Elements {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfDouble F64 = ValueLayout.JAVA_DOUBLE_UNALIGNED;
    private static final ValueLayout.OfShort I16 = ValueLayout.JAVA_SHORT_UNALIGNED;

    private Elements() {
    }

    /** All elements, row after row. */
    public static float[] toFloats(Tensor tensor) {
        float[] out = new float[Math.toIntExact(tensor.elements())];
        read(tensor.dtype(), tensor.data(), 0, out, 0, out.length);
        return out;
    }

    /** Row {@code row} (along the last dimension) into {@code out[offset ...]}. */
    public static void readRow(Tensor tensor, long row, float[] out, int offset) {
        int cols = (int) tensor.cols();
        read(tensor.dtype(), tensor.data(), row * tensor.dtype().bytes(cols), out, offset, cols);
    }

    /**
     * {@code n} elements that start at byte {@code from} of {@code data}, into {@code out[offset ...]}.
     *
     * @throws IllegalArgumentException if {@code dtype} holds no float values
     */
    public static void read(DType dtype, MemorySegment data, long from, float[] out, int offset, int n) {
        switch (dtype) {
            case F32 -> MemorySegment.copy(data, F32, from, out, offset, n);
            case F64 -> {
                for (int i = 0; i < n; i++) {
                    out[offset + i] = (float) data.get(F64, from + 8L * i);
                }
            }
            case F16 -> {
                for (int i = 0; i < n; i++) {
                    out[offset + i] = Float.float16ToFloat(data.get(I16, from + 2L * i));
                }
            }
            case BF16 -> {
                for (int i = 0; i < n; i++) {
                    out[offset + i] = bfloat16ToFloat(data.get(I16, from + 2L * i));
                }
            }
            case F8_E4M3, F8_E5M2, F8_E4M3FNUZ, F8_E5M2FNUZ, F8_E8M0 -> {
                for (int i = 0; i < n; i++) {
                    out[offset + i] = Float8.toFloat(dtype, data.get(ValueLayout.JAVA_BYTE, from + i));
                }
            }
            default -> {
                if (!dtype.quantised()) {
                    throw new IllegalArgumentException("no f32 reading of " + dtype + " elements");
                }
                Blocks.dequantise(dtype, data, from, out, offset, n);
            }
        }
    }

    public static float bfloat16ToFloat(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    /** Rounds to nearest, ties to even; a NaN stays a quiet NaN. */
    public static short floatToBfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) (bits >>> 16 | 0x40);
        }
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }
}
