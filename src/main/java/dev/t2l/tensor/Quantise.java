package dev.t2l.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Iterator;
import java.util.Set;

/**
 * f32 rows turned into the types that models are written in, with the bits of ggml's reference quantisers
 * ({@code quantize_row_*_ref} in ggml-quants.c).
 */
public final class Quantise {
    private static final Set<DType> TYPES = Set.of(DType.F32, DType.F16, DType.BF16, DType.Q8_0, DType.Q4_0, DType.Q4_1, DType.Q5_0, DType.Q5_1);
    private static final int CHUNK = 1 << 20;
    private static final int BLOCK = 32;

    private Quantise() {
    }

    /** Whether {@link #row} makes this type: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1. */
    public static boolean supports(DType dtype) {
        return TYPES.contains(dtype);
    }

    /**
     * Appends {@code n} values {@code x[from ...]} to {@code out} (little-endian) as {@code dtype}.
     *
     * @param n a whole number of blocks
     * @throws IllegalArgumentException for a type that is not supported, or a finite value too large for F16
     */
    public static void row(DType dtype, float[] x, int from, int n, ByteBuffer out) {
        if (n % dtype.blockSize() != 0) {
            throw new IllegalArgumentException(n + " values are no whole number of " + dtype + " blocks");
        }
        out.order(ByteOrder.LITTLE_ENDIAN);
        for (int i = from; i < from + n; i += dtype.blockSize()) {
            switch (dtype) {
                case F32 -> out.putFloat(x[i]);
                case F16 -> out.putShort(half(x[i]));
                case BF16 -> out.putShort(Elements.floatToBfloat16(x[i]));
                case Q8_0 -> q80(x, i, out);
                case Q4_0 -> q40(x, i, out);
                case Q4_1 -> q41(x, i, out);
                case Q5_0 -> q50(x, i, out);
                case Q5_1 -> q51(x, i, out);
                default -> throw new IllegalArgumentException("cannot quantise to " + dtype + "; there are " + TYPES);
            }
        }
    }

    /** A host tensor of any float or block type as {@code dtype}, in a new tensor that lives as long as it is reachable. */
    public static Tensor tensor(Tensor source, DType dtype) {
        Tensor result = Tensor.allocate(Arena.ofAuto(), dtype, source.shape());
        long at = 0;
        for (ByteBuffer chunk : chunks(source, dtype)) {
            int size = chunk.remaining();
            MemorySegment.copy(MemorySegment.ofBuffer(chunk), 0, result.data(), at, size);
            at += size;
        }
        return result;
    }

    /** The bytes of {@code source} as {@code dtype}, piece by piece; a piece is valid until the next one is asked for. */
    public static Iterable<ByteBuffer> chunks(Tensor source, DType dtype) {
        if (!supports(dtype) || source.cols() % dtype.blockSize() != 0) {
            throw new IllegalArgumentException("cannot quantise " + source + " to " + dtype + "; there are " + TYPES + ", in whole blocks");
        }
        return () -> new Chunks(source, dtype);
    }

    private static final class Chunks implements Iterator<ByteBuffer> {
        private final Tensor source;
        private final DType dtype;
        private final float[] values;
        private final ByteBuffer bytes;
        private long next;

        Chunks(Tensor source, DType dtype) {
            this.source = source;
            this.dtype = dtype;
            this.values = new float[(int) Math.min(CHUNK, source.elements())];
            this.bytes = ByteBuffer.allocate((int) dtype.bytes(values.length));
        }

        @Override
        public boolean hasNext() {
            return next < source.elements();
        }

        @Override
        public ByteBuffer next() {
            int n = (int) Math.min(values.length, source.elements() - next);
            Elements.read(source.dtype(), source.data(), source.dtype().bytes(next), values, 0, n);
            next += n;
            row(dtype, values, 0, n, bytes.clear());
            return bytes.flip();
        }
    }

    private static short half(float value) {
        short bits = Float.floatToFloat16(value);
        if ((bits & 0x7fff) == 0x7c00 && !Float.isInfinite(value)) {
            throw new IllegalArgumentException(value + " is too large for F16 (65504 at most); HINT: BF16 holds it");
        }
        return bits;
    }

    private static void q80(float[] x, int at, ByteBuffer out) {
        float largest = 0;
        for (int i = at; i < at + BLOCK; i++) {
            largest = Math.max(largest, Math.abs(x[i]));
        }
        float d = largest / 127;
        float inverse = d == 0 ? 0 : 1 / d;
        out.putShort(Float.floatToFloat16(d));
        for (int i = at; i < at + BLOCK; i++) {
            out.put((byte) roundAwayFromZero(x[i] * inverse));
        }
    }

    /** C's {@code roundf}: halves go away from zero. */
    private static int roundAwayFromZero(float value) {
        float magnitude = Math.abs(value);
        int floor = (int) magnitude;
        int rounded = magnitude - floor >= 0.5f ? floor + 1 : floor;
        return value < 0 ? -rounded : rounded;
    }

    private static void q40(float[] x, int at, ByteBuffer out) {
        float d = extreme(x, at) / -8;
        float inverse = d == 0 ? 0 : 1 / d;
        out.putShort(Float.floatToFloat16(d));
        for (int i = at; i < at + BLOCK / 2; i++) {
            out.put(nibbles(x[i] * inverse + 8.5f, x[i + BLOCK / 2] * inverse + 8.5f));
        }
    }

    private static void q50(float[] x, int at, ByteBuffer out) {
        float d = extreme(x, at) / -16;
        float inverse = d == 0 ? 0 : 1 / d;
        out.putShort(Float.floatToFloat16(d));
        fiveBits(x, at, inverse, 16.5f, out);
    }

    /** The value of largest magnitude, with its sign. */
    private static float extreme(float[] x, int at) {
        float extreme = 0;
        for (int i = at; i < at + BLOCK; i++) {
            if (Math.abs(x[i]) > Math.abs(extreme)) {
                extreme = x[i];
            }
        }
        return extreme;
    }

    private static void q41(float[] x, int at, ByteBuffer out) {
        float smallest = smallest(x, at);
        float d = (largest(x, at) - smallest) / 15;
        float inverse = d == 0 ? 0 : 1 / d;
        out.putShort(Float.floatToFloat16(d)).putShort(Float.floatToFloat16(smallest));
        for (int i = at; i < at + BLOCK / 2; i++) {
            out.put(nibbles((x[i] - smallest) * inverse + 0.5f, (x[i + BLOCK / 2] - smallest) * inverse + 0.5f));
        }
    }

    private static void q51(float[] x, int at, ByteBuffer out) {
        float smallest = smallest(x, at);
        float d = (largest(x, at) - smallest) / 31;
        float inverse = d == 0 ? 0 : 1 / d;
        out.putShort(Float.floatToFloat16(d)).putShort(Float.floatToFloat16(smallest));
        float[] above = new float[BLOCK];
        for (int i = 0; i < BLOCK; i++) {
            above[i] = x[at + i] - smallest;
        }
        fiveBits(above, 0, inverse, 0.5f, out);
    }

    private static float smallest(float[] x, int at) {
        float smallest = Float.MAX_VALUE;
        for (int i = at; i < at + BLOCK; i++) {
            smallest = x[i] < smallest ? x[i] : smallest;
        }
        return smallest;
    }

    private static float largest(float[] x, int at) {
        float largest = -Float.MAX_VALUE;
        for (int i = at; i < at + BLOCK; i++) {
            largest = x[i] > largest ? x[i] : largest;
        }
        return largest;
    }

    /** The fifth bits of all 32 elements, then their lower four as {@link #nibbles}. */
    private static void fiveBits(float[] x, int at, float inverse, float offset, ByteBuffer out) {
        int high = 0;
        int[] values = new int[BLOCK];
        for (int i = 0; i < BLOCK; i++) {
            values[i] = Math.min(31, (int) (x[at + i] * inverse + offset));
            high |= (values[i] >> 4) << i;
        }
        out.putInt(high);
        for (int i = 0; i < BLOCK / 2; i++) {
            out.put((byte) (values[i] & 15 | (values[i + BLOCK / 2] & 15) << 4));
        }
    }

    /** Element i in the low half of a byte, element i + 16 in the high half. */
    private static byte nibbles(float low, float high) {
        return (byte) (Math.min(15, (int) low) | Math.min(15, (int) high) << 4);
    }
}
