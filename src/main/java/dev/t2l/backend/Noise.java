package dev.t2l.backend;

/**
 * Random numbers as a function of a seed and an element's index, the same on every backend: SplitMix64's mixing function (Steele et
 * al. 2014) over {@code seed + (i + 1) * golden gamma}, its upper 32 bits.
 */
public final class Noise {
    private static final long GAMMA = 0x9e3779b97f4a7c15L;

    private Noise() {
    }

    /** A seed for one of a seed's purposes: all 64 bits of the mixing function. */
    public static long seed(long seed, long purpose) {
        long z = seed + (purpose + 1) * GAMMA;
        z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return z ^ z >>> 31;
    }

    /** 32 random bits. */
    public static int bits(long seed, long i) {
        return (int) (seed(seed, i) >>> 32);
    }

    /** Whether dropout of probability p keeps element i: its bits, unsigned, are at least {@link #threshold}. */
    public static boolean keep(long seed, long i, int threshold) {
        return Integer.compareUnsigned(bits(seed, i), threshold) >= 0;
    }

    /** p of 2^32, rounded down; p below 1. */
    public static int threshold(float p) {
        return (int) (long) (p * 0x1p32);
    }

    /** In [-1, 1): 24 bits. */
    public static float uniform(long seed, long i) {
        return (bits(seed, i) >>> 8) * 0x1p-23f - 1;
    }
}
