package dev.t2l.tensor;

/** Eight-bit floats, widened exactly to f32. */
final class Float8 {
    private Float8() {
    }

    /**
     * The value of the byte {@code bits}.
     *
     * @throws IllegalArgumentException if {@code dtype} is no eight-bit float
     */
    static float toFloat(DType dtype, byte bits) {
        return switch (dtype) {
            case F8_E4M3 -> (bits & 0x7f) == 0x7f ? Float.NaN : value(bits, 3, 7);
            case F8_E5M2 -> Float.float16ToFloat((short) (bits << 8));
            case F8_E4M3FNUZ -> bits == (byte) 0x80 ? Float.NaN : value(bits, 3, 8);
            case F8_E5M2FNUZ -> bits == (byte) 0x80 ? Float.NaN : value(bits, 2, 16);
            case F8_E8M0 -> bits == (byte) 0xff ? Float.NaN : Math.scalb(1f, (bits & 0xff) - 127);
            default -> throw new IllegalArgumentException(dtype + " is no eight-bit float");
        };
    }

    private static float value(byte bits, int mantissaBits, int bias) {
        int exponent = (bits & 0x7f) >> mantissaBits;
        int mantissa = bits & (1 << mantissaBits) - 1;
        float magnitude = exponent == 0
                ? Math.scalb((float) mantissa, 1 - bias - mantissaBits)
                : Math.scalb((float) (mantissa | 1 << mantissaBits), exponent - bias - mantissaBits);
        return bits < 0 ? -magnitude : magnitude;
    }
}
