package dev.t2l.bench;

import dev.t2l.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.SplittableRandom;
import java.util.stream.LongStream;

/** Fills memory with blocks of random weights in a type, of mean 0 (Q4_0: nearly) and standard deviation 0.02, as fresh models have them. */
final class RandomBlocks {
    private static final double DEVIATION = 0.02;
    private static final double UNIFORM = DEVIATION * Math.sqrt(3);
    /** Of the integers 0 to 15, and -128 to 127. */
    private static final double NIBBLES = Math.sqrt((16 * 16 - 1) / 12.0);
    private static final double BYTES = Math.sqrt((256 * 256 - 1) / 12.0);
    private static final double SIX_BITS = Math.sqrt((64 * 64 - 1) / 12.0);
    private static final long CHUNK = 1 << 13;
    private static final ValueLayout.OfShort I16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private RandomBlocks() {
    }

    /** The first {@code blocks} blocks of {@code to}; the same ones for the same seed, whatever the number of threads. */
    static void fill(DType type, MemorySegment to, long blocks, long seed) {
        LongStream.range(0, (blocks + CHUNK - 1) / CHUNK).parallel().forEach(chunk -> {
            var random = new SplittableRandom(seed + chunk);
            long end = Math.min(blocks, (chunk + 1) * CHUNK);
            for (long b = chunk * CHUNK; b < end; b++) {
                block(type, to, b * type.blockBytes(), random);
            }
        });
    }

    private static void block(DType type, MemorySegment to, long at, SplittableRandom random) {
        switch (type) {
            case F32 -> to.set(F32, at, uniform(random));
            case F16 -> half(to, at, uniform(random));
            case BF16 -> to.set(I16, at, (short) (Float.floatToRawIntBits(uniform(random)) >>> 16));
            case Q8_0 -> {
                half(to, at, DEVIATION / BYTES);
                bytes(to, at + 2, 32, random);
            }
            case Q4_0 -> {
                half(to, at, DEVIATION / NIBBLES);
                bytes(to, at + 2, 16, random);
            }
            case Q4_1 -> {
                half(to, at, DEVIATION / NIBBLES);
                half(to, at + 2, -7.5 * DEVIATION / NIBBLES);
                bytes(to, at + 4, 16, random);
            }
            case Q4_K -> q4k(to, at, random);
            case Q6_K -> q6k(to, at, random);
            default -> throw new IllegalArgumentException("no random weights are made of type " + type);
        }
    }

    /** Scales of 32 to 63; each part's minimum has its scale's number, and 7.5 times its unit. */
    private static void q4k(MemorySegment to, long at, SplittableRandom random) {
        double unit = DEVIATION / (48 * NIBBLES);
        half(to, at, unit);
        half(to, at + 2, 7.5 * unit);
        for (int i = 0; i < 4; i++) {
            int low = 32 | 128 | random.nextInt(256);
            int high = random.nextInt(16);
            to.set(ValueLayout.JAVA_BYTE, at + 4 + i, (byte) low);
            to.set(ValueLayout.JAVA_BYTE, at + 8 + i, (byte) low);
            to.set(ValueLayout.JAVA_BYTE, at + 12 + i, (byte) (high | high << 4));
        }
        bytes(to, at + 16, 128, random);
    }

    /** Scales of 8 to 15. */
    private static void q6k(MemorySegment to, long at, SplittableRandom random) {
        bytes(to, at, 192, random);
        for (int i = 0; i < 16; i++) {
            to.set(ValueLayout.JAVA_BYTE, at + 192 + i, (byte) (8 + random.nextInt(8)));
        }
        half(to, at + 208, DEVIATION / (11.5 * SIX_BITS));
    }

    private static float uniform(SplittableRandom random) {
        return (float) ((2 * random.nextDouble() - 1) * UNIFORM);
    }

    private static void half(MemorySegment to, long at, double value) {
        to.set(I16, at, Float.floatToFloat16((float) value));
    }

    private static void bytes(MemorySegment to, long at, int count, SplittableRandom random) {
        for (int i = 0; i < count; i += 8) {
            to.set(ValueLayout.JAVA_LONG_UNALIGNED, at + i, random.nextLong());
        }
    }
}
