package dev.t2l.train;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.data.JsonLines;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** What a run measured, one JSON object a line, each written at once. Every line has the {@code step} after which it was measured, from 1. */
public final class MetricsLog implements AutoCloseable {
    /** The file's name in a run's folder. */
    public static final String FILE = "metrics.jsonl";

    private final JsonLines lines;

    /**
     * Opens or makes the file. Lines of later steps, and a last one that is not whole, are cut off.
     *
     * @param steps the run goes on after so many
     */
    MetricsLog(Path path, long steps) {
        lines = new JsonLines(path, line -> line.path("step").asLong(Long.MAX_VALUE) <= steps);
    }

    /** Appends a line and hands it to the system. */
    void add(Map<String, Object> values) {
        lines.add(values);
    }

    /** The whole lines of a run's metrics, also while it goes on. */
    public static List<JsonNode> read(Path folder) {
        return JsonLines.read(folder.resolve(FILE));
    }

    @Override
    public void close() {
        lines.close();
    }
}
