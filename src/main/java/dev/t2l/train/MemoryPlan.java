package dev.t2l.train;

import dev.t2l.tensor.TensorTable;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/** What a run will take, by what it is for, before it is taken. */
final class MemoryPlan {
    private final Map<String, Long> parts = new LinkedHashMap<>();

    MemoryPlan add(String what, long bytes) {
        parts.merge(what, bytes, Long::sum);
        return this;
    }

    /** Values, gradients and moments. */
    MemoryPlan add(Parameters parameters) {
        long bytes = parameters.table().bytes();
        return add("trained parameters (" + String.format(Locale.ROOT, "%,d", parameters.count()) + ")", bytes).add("their gradients", bytes).add("the optimiser's moments", 2 * bytes);
    }

    MemoryPlan add(String what, TensorTable table) {
        return add(what, table.bytes());
    }

    @Override
    public String toString() {
        var text = new StringBuilder("memory plan:");
        parts.forEach((what, bytes) -> text.append(line(what, bytes)));
        return text.append(line("sum", parts.values().stream().mapToLong(Long::longValue).sum())).toString();
    }

    private static String line(String what, long bytes) {
        return String.format(Locale.ROOT, "%n  %-44s %10.1f MiB", what, bytes / 1048576.0);
    }
}
