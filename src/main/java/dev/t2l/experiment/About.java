package dev.t2l.experiment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.t2l.io.AtomicFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * {@value #FILE}: how an experiment's numbers came about, by which commands, commits and devices, and in how many seconds. Written after each stage, so that a
 * command that was killed has its entry, too.
 */
final class About {
    static final String FILE = "about.json";
    private static final JsonMapper JSON = JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

    private final Path file;
    private final List<Object> earlier = new ArrayList<>();
    private final Map<String, Object> head = new LinkedHashMap<>();
    private final Map<String, Object> entry = new LinkedHashMap<>();
    private final Map<String, Double> seconds = new LinkedHashMap<>();
    private final Map<String, Object> trainings = new LinkedHashMap<>();
    private final long start = System.nanoTime();

    About(Path folder, Experiment experiment, LabSettings settings, String device) {
        file = folder.resolve(FILE);
        if (Files.exists(file)) {
            read(file).path("commands").forEach(earlier::add);
        }
        head.put("experiment", experiment.name());
        head.put("title", experiment.title());
        head.put("seed", settings.seed());
        head.put("budget", settings.trainings().budget());
        head.put("examples", settings.judging().examples());
        head.put("descriptions", settings.judging().descriptions());
        head.put("set", settings.trainings().changes());
        entry.put("command", settings.command());
        Commit.current().ifPresent(commit -> entry.put("commit", commit));
        entry.put("device", device);
        entry.put("begun", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        entry.put("seconds", seconds);
    }

    private static JsonNode read(Path file) {
        try {
            return JSON.readTree(file.toFile());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Adds the time that something takes to a stage's. */
    <T> T timed(String stage, Supplier<T> work) {
        long begun = System.nanoTime();
        try {
            return work.get();
        } finally {
            seconds.merge(stage, since(begun), (before, now) -> rounded(before + now));
            write();
        }
    }

    private static double since(long begun) {
        return rounded((System.nanoTime() - begun) * 1e-9);
    }

    /** To milliseconds. */
    private static double rounded(double seconds) {
        return Math.round(seconds * 1000) / 1000.0;
    }

    /** Names a run that the numbers are of. */
    void trained(String what, Trained run) {
        Map<String, Object> about = new LinkedHashMap<>();
        about.put("run", run.run().toString());
        about.put("steps", run.steps());
        about.put("seconds", rounded(run.seconds()));
        trainings.put(what, about);
    }

    void write() {
        seconds.put("all", since(start));
        Map<String, Object> all = new LinkedHashMap<>(head);
        all.put("trainings", trainings);
        List<Object> commands = new ArrayList<>(earlier);
        commands.add(entry);
        all.put("commands", commands);
        try {
            AtomicFile.write(file, (JSON.writeValueAsString(all) + "\n").getBytes(StandardCharsets.UTF_8));
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }
}
