package dev.t2l.experiment;

import java.util.Arrays;

/** How long something short takes. */
final class Timing {
    static final int RUNS = 30;
    private static final int WARM_UP = 10;

    private Timing() {
    }

    static double medianMilliseconds(Runnable work) {
        for (int i = 0; i < WARM_UP; i++) {
            work.run();
        }
        long[] nanos = new long[RUNS];
        for (int i = 0; i < RUNS; i++) {
            long start = System.nanoTime();
            work.run();
            nanos[i] = System.nanoTime() - start;
        }
        Arrays.sort(nanos);
        return (nanos[(RUNS - 1) / 2] + nanos[RUNS / 2]) / 2e6;
    }
}
