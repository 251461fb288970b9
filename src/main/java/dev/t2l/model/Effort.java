package dev.t2l.model;

import java.util.Locale;

/** What a {@link ContinuousGenerator} did, and how long it took, for its log. */
final class Effort {
    private final long start = System.nanoTime();
    long sequences;
    long read;       // tokens of prompts
    long copied;
    long steps;
    long generated;  // tokens, by steps
    long reading;    // ns
    long weighing;
    long stepping;

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "%d sequences in %.2f s: %d prompt tokens read, %d copied in %.2f s; continuations in %.2f s; %d steps of %.1f rows in %.2f s",
                sequences, seconds(System.nanoTime() - start), read, copied, seconds(reading), seconds(weighing), steps, (double) generated / Math.max(1, steps), seconds(stepping));
    }

    private static double seconds(long nanos) {
        return nanos * 1e-9;
    }
}
