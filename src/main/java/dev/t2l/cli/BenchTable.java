package dev.t2l.cli;

import dev.t2l.bench.Figure;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** Results of benchmarks as a table, in Markdown; rows are printed as they come. */
final class BenchTable {
    private static final String ROW = "| %-12s | %-18s | %-6s | %-62s | %10s | %10s | %6s | %21s | %8s | %5s | %8s | %5s |";
    static final String HEADER = String.format(ROW, "bench", "shape", "weights", "with", "median ms", "p99 ms", "n", "at the median", "GB/s", "share", "TFLOP/s", "share")
            + System.lineSeparator() + "|---|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|";

    private BenchTable() {
    }

    static String row(Figure f) {
        String settings = f.settings().entrySet().stream().map(e -> e.getKey() + " " + text(e.getValue())).collect(Collectors.joining(", "));
        return String.format(Locale.ROOT, ROW, f.bench(), f.shape(), f.weights(), settings, digits(f.medianMillis()), digits(f.p99Millis()), f.n(),
                digits(f.rate()) + " " + f.unit(), digits(f.gigabytesPerSecond()), share(f.shareOfBandwidth()), digits(f.teraflopsPerSecond()), share(f.shareOfProduct()));
    }

    private static String text(Object value) {
        return value instanceof List<?> list ? list.stream().map(String::valueOf).collect(Collectors.joining("+")) : String.valueOf(value);
    }

    /** Four digits that count. */
    private static String digits(Double value) {
        if (value == null) {
            return "";
        }
        int decimals = Math.clamp(3 - (int) Math.floor(Math.log10(Math.max(value, 1e-3))), 0, 4);
        return String.format(Locale.ROOT, "%." + decimals + "f", value);
    }

    private static String share(Double value) {
        return value == null ? "" : String.format(Locale.ROOT, "%.1f%%", 100 * value);
    }
}
