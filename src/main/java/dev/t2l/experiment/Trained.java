package dev.t2l.experiment;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.hyper.HyperCheckpoint;
import dev.t2l.train.MetricsLog;
import dev.t2l.train.TrainingConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A run that has ended.
 *
 * @param folder   of what was trained
 * @param run      of the run, with its metrics
 * @param steps    that it took
 * @param seconds  of its steps, in sum; without start, validations and checkpoints
 * @param lastLoss the mean loss of the last twentieth of its steps, noise of training included
 */
public record Trained(Path folder, Path run, TrainingConfig config, long steps, double seconds, double lastLoss) {
    private static final int LAST = 20;

    /** Of a run's folder. */
    static Trained of(Path run, TrainingConfig config) {
        List<JsonNode> lines = MetricsLog.read(run).stream().filter(line -> line.has("loss")).toList();
        double last = lines.subList(lines.size() - Math.ceilDiv(lines.size(), LAST), lines.size()).stream().mapToDouble(line -> line.path("loss").doubleValue()).average().orElseThrow();
        return new Trained(run.resolve("final"), run, config, lines.size(), lines.stream().mapToDouble(line -> line.path("seconds").doubleValue()).sum(), last);
    }

    /** Trainable values of a hypernetwork. */
    public long parameters() {
        try (HyperCheckpoint checkpoint = HyperCheckpoint.load(folder)) {
            return checkpoint.parameters();
        }
    }

    /** Of the tensor file, in MiB. */
    public double mebibytes() {
        return mebibytes(folder.resolve("hypermod.safetensors"));
    }

    static double mebibytes(Path file) {
        try {
            return Files.size(file) / (double) (1 << 20);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
