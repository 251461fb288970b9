package dev.t2l.cli;

import java.util.Locale;

/** Sizes for people. */
final class Mebibytes {
    private Mebibytes() {
    }

    static String of(long bytes) {
        return String.format(Locale.ROOT, "%.3f MiB", bytes / (double) (1 << 20));
    }
}
