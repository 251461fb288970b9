package dev.t2l.experiment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.t2l.io.AtomicFile;
import dev.t2l.io.FormatException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What an experiment has to draw, kept in {@value #FILE}: to be drawn where there are fonts, without running it again. */
public record Charts(List<Chart> charts) {
    public static final String FILE = "charts.json";
    private static final JsonMapper JSON = new JsonMapper();
    private static final int WIDTH = 720;
    private static final int HEIGHT = 440;

    public Charts {
        charts = List.copyOf(charts);
    }

    /** Whether an experiment has left some in a folder. */
    public static boolean in(Path folder) {
        return Files.isRegularFile(folder.resolve(FILE));
    }

    /**
     * From a folder.
     *
     * @throws FormatException if the file holds something else
     */
    public static Charts read(Path folder) {
        Path file = folder.resolve(FILE);
        try {
            return JSON.readValue(Files.readAllBytes(file), Charts.class);
        } catch (JsonProcessingException e) {
            throw new FormatException(file, "charts", e.getOriginalMessage());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    void write(Path folder) {
        try {
            AtomicFile.write(folder.resolve(FILE), (JSON.writeValueAsString(this) + "\n").getBytes(StandardCharsets.UTF_8));
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Draws two in a row, without a display; needs the machine's fonts.
     *
     * @param file a .png file, else SVG is written
     */
    public void draw(Path file) throws IOException {
        System.setProperty("java.awt.headless", "true"); // charts measure text as they are made
        new Picture(charts.stream().map(chart -> chart.drawn(WIDTH, HEIGHT)).toList(), 2).write(file);
    }
}
