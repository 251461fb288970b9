package dev.t2l.tensor;

/** Sizes rounded up, so that few of them serve all. */
public final class PowerOfTwo {
    private PowerOfTwo() {
    }

    /** The least power of two that is at least {@code n}; 1 for anything less. */
    public static int atLeast(int n) {
        return n <= 1 ? 1 : Math.multiplyExact(Integer.highestOneBit(n - 1), 2);
    }
}
