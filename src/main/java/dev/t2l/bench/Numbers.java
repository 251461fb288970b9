package dev.t2l.bench;

import dev.t2l.tensor.Projection;
import java.util.Arrays;
import java.util.Locale;

/** What benchmarks are told, checked. */
public final class Numbers {
    private Numbers() {
    }

    static void positive(String what, int value) {
        atLeast(what, value, 1);
    }

    static void atLeast(String what, int value, int least) {
        if (value < least) {
            throw new IllegalArgumentException(what + ": wanted at least " + least + ", got " + value);
        }
    }

    /** {@code q, k, v, o, gate, up, down}. */
    static String letter(Projection projection) {
        return projection.name().toLowerCase(Locale.ROOT);
    }

    /** By {@code q} or {@code q_proj}. */
    public static Projection projection(String name) {
        return Arrays.stream(Projection.values()).filter(p -> letter(p).equalsIgnoreCase(name) || p.peftName().equals(name)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no projection is called '" + name + "'; there are "
                        + String.join(", ", Arrays.stream(Projection.values()).map(Numbers::letter).toList())));
    }
}
