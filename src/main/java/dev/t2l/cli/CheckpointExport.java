package dev.t2l.cli;

import dev.t2l.demo.TaskNeighbours;
import dev.t2l.hyper.HyperCheckpoint;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Quantise;
import dev.t2l.tensor.Tensor;
import dev.t2l.train.Reconstruction;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;

/** A hypernetwork's checkpoint in another type, with what lies beside it: the training descriptions' embeddings and the configuration. */
final class CheckpointExport {
    private static final String CONFIG = "config.yaml";

    private CheckpointExport() {
    }

    /** @param descriptions the first so many of each task keep their embeddings */
    static void write(Path from, Path to, DType dtype, int descriptions) {
        if (Files.isRegularFile(to)) {
            throw new IllegalArgumentException("--out " + to + " is a file; wanted a folder for the checkpoint");
        }
        try (HyperCheckpoint checkpoint = HyperCheckpoint.load(from)) {
            checkpoint.save(to, dtype);
        }
        Path embeddings = from.resolve(Reconstruction.EMBEDDINGS);
        try {
            if (Files.isRegularFile(embeddings)) {
                embeddings(embeddings, to, dtype, descriptions);
            } else {
                copy(from, to, TaskNeighbours.SMALL_FILE); // as small as it gets
            }
            copy(from, to, CONFIG);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void copy(Path from, Path to, String file) throws IOException {
        if (Files.isRegularFile(from.resolve(file))) {
            Files.copy(from.resolve(file), to.resolve(file), StandardCopyOption.REPLACE_EXISTING);
        }
    }

    private static void embeddings(Path from, Path to, DType dtype, int descriptions) {
        try (SafeTensors file = SafeTensors.open(from)) {
            Map<String, Tensor> kept = new LinkedHashMap<>();
            file.weights().tensors().forEach((task, rows) -> kept.put(task, rows.slice(0, Math.min(descriptions, rows.rows()))));
            if (dtype == DType.Q8_0) {
                TaskNeighbours.writeSmall(to, kept);
            } else {
                Map<String, Tensor> converted = new LinkedHashMap<>();
                kept.forEach((task, rows) -> converted.put(task, Quantise.tensor(rows, dtype)));
                SafeTensors.write(to.resolve(Reconstruction.EMBEDDINGS), converted, file.metadata());
            }
        }
    }

    /** Size of the folder's files. */
    static long bytes(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.mapToLong(file -> file.toFile().length()).sum();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
