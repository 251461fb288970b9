package dev.t2l.experiment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.t2l.io.AtomicFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** The files of what an experiment found. */
final class Findings {
    private static final JsonMapper JSON = new JsonMapper();

    private final Path out;
    private final Experiment experiment;
    private final LabSettings settings;
    private final LabListener listener;
    private String text = "";
    private List<Map<String, Object>> lines = List.of();

    Findings(Path out, Experiment experiment, LabSettings settings, LabListener listener) {
        this.out = out;
        this.experiment = experiment;
        this.settings = settings;
        this.listener = listener;
    }

    Path out() {
        return out;
    }

    /** As Markdown; empty before there is a table. */
    String text() {
        return text;
    }

    /** The rows for programs. */
    List<Map<String, Object>> lines() {
        return lines;
    }

    void table(List<Table> tables, List<String> notes) {
        lines = tables.stream().flatMap(table -> table.lines().stream()).toList();
        text = "# " + experiment.title() + "\n\n" + tables.stream().map(Table::markdown).collect(Collectors.joining("\n"))
                + notes.stream().map(note -> "\n" + note + "\n").collect(Collectors.joining()) + "\n`" + settings.command() + "`\n";
        write("table.md", text);
        rows("results.jsonl", lines);
    }

    void rows(String name, Table table) {
        rows(name, table.lines());
    }

    private void rows(String name, List<Map<String, Object>> rows) {
        write(name, rows.stream().map(line -> json(line) + "\n").collect(Collectors.joining()));
    }

    private void write(String name, String content) {
        AtomicFile.write(out.resolve(name), content.getBytes(StandardCharsets.UTF_8));
    }

    private static String json(Map<String, Object> line) {
        try {
            return JSON.writeValueAsString(line);
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }

    void plot(List<Chart> list) {
        var charts = new Charts(list);
        charts.write(out);
        try {
            charts.draw(out.resolve("plot.svg"));
            charts.draw(out.resolve("plot.png"));
        } catch (Exception | LinkageError e) { // fonts and native parts of AWT may be missing
            listener.warning(experiment.name() + ": the plot is not drawn: " + e + "; HINT: where there are fonts, t2l plot " + out + " draws it");
        }
    }
}
