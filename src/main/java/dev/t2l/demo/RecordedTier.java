package dev.t2l.demo;

import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.t2l.io.FormatException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The zero-shot table of an evaluation that was run elsewhere, as {@code t2l eval --table} wrote it, with what made it.
 *
 * @param scores      of tasks and their means by columns, the first row the header
 * @param differences between columns, the first row the header; empty if there are none
 */
public record RecordedTier(About about, List<List<String>> scores, List<List<String>> differences) {
    static final String TABLE = "table.md";
    static final String ABOUT = "about.json";

    /**
     * What made the table.
     *
     * @param verdict  what the table says, the first line under it
     * @param commit   of this project
     * @param commands that made the table, training included, in order
     * @param device   they ran on
     * @param log      file beside the table
     */
    public record About(String verdict, String commit, List<String> commands, String device, String log) {
    }

    /**
     * What lies in a folder.
     *
     * @return empty if there is no such folder
     * @throws FormatException if a file of it is missing or broken
     */
    public static Optional<RecordedTier> read(Path folder) {
        if (!Files.isDirectory(folder)) {
            return Optional.empty();
        }
        try {
            About about = new JsonMapper().readValue(folder.resolve(ABOUT).toFile(), About.class);
            if (about.commit() == null || about.commands() == null || about.commands().isEmpty() || about.verdict() == null || about.device() == null || about.log() == null) {
                throw new FormatException(folder.resolve(ABOUT), "keys", "wanted verdict, commit, commands, device and log, found " + about);
            }
            List<List<List<String>>> tables = tables(Files.readAllLines(folder.resolve(TABLE)));
            if (tables.isEmpty() || tables.stream().anyMatch(table -> table.stream().anyMatch(row -> row.size() != table.getFirst().size()))) {
                throw new FormatException(folder.resolve(TABLE), "table", "wanted Markdown tables whose rows are equally long");
            }
            return Optional.of(new RecordedTier(about, tables.getFirst(), differences(tables)));
        } catch (com.fasterxml.jackson.core.JacksonException e) {
            throw new FormatException(folder.resolve(ABOUT), "JSON", e.getOriginalMessage());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Of the first table, which a second one, by likelihood, may follow. */
    private static List<List<String>> differences(List<List<List<String>>> tables) {
        return tables.size() > 1 && tables.get(1).getFirst().getFirst().endsWith(" less") ? tables.get(1) : List.of();
    }

    /** Tables are apart by other lines; the line of dashes below a header is none of its rows. */
    private static List<List<List<String>>> tables(List<String> lines) {
        List<List<List<String>>> tables = new ArrayList<>();
        boolean inside = false;
        for (String line : lines) {
            if (line.startsWith("|") && !inside) {
                tables.add(new ArrayList<>());
            }
            inside = line.startsWith("|");
            if (inside && !line.matches("[|:\\- ]+")) {
                tables.getLast().add(Arrays.stream(line.substring(1).split("\\|")).map(cell -> cell.replace("**", "").strip()).toList());
            }
        }
        return tables;
    }

    /** The columns' titles. */
    public List<String> columns() {
        return scores.getFirst().subList(1, scores.getFirst().size());
    }
}
