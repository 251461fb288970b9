package dev.t2l.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.Tiny;
import dev.t2l.demo.TaskNeighbours;
import dev.t2l.hyper.HyperCheckpoint;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.train.Reconstruction;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code t2l export} of a hypernetwork: what lies beside it goes with it. */
class CheckpointExportTest {
    @TempDir
    Path folder;
    private Path trained;
    private final StringWriter err = new StringWriter();

    @BeforeEach
    void write() throws Exception {
        trained = Tiny.copy(Tiny.T2L, folder.resolve("trained"));
        SafeTensors.write(trained.resolve(Reconstruction.EMBEDDINGS), Map.of("truth", Tensor.ofFloats(new float[64], 2, 32)), Map.of());
        Files.writeString(trained.resolve("config.yaml"), "kind: sft\n");
    }

    private int export(Path from, String to, String... more) {
        var command = Main.commandLine(new PrintWriter(new StringWriter()), new PrintWriter(err, true));
        String[] arguments = {"export", from.toString(), "--out", folder.resolve(to).toString()};
        return command.execute(Stream.concat(Arrays.stream(arguments), Arrays.stream(more)).toArray(String[]::new));
    }

    @Test
    void embeddingsAndConfigurationGoWithIt() throws Exception {
        assertEquals(0, export(trained, "half", "--type", "f16"), err::toString);
        try (SafeTensors embeddings = SafeTensors.open(folder.resolve("half").resolve(Reconstruction.EMBEDDINGS))) {
            assertEquals(DType.F16, embeddings.weights().get("truth").dtype());
        }
        assertEquals(0, export(trained, "first", "--type", "f16", "--descriptions", "1"), err::toString);
        try (SafeTensors embeddings = SafeTensors.open(folder.resolve("first").resolve(Reconstruction.EMBEDDINGS))) {
            assertEquals(1, embeddings.weights().get("truth").rows());
        }
        assertEquals(0, export(trained, "small", "--type", "q8_0"), err::toString);
        Path small = folder.resolve("small");
        assertTrue(Files.exists(small.resolve(TaskNeighbours.SMALL_FILE)));
        assertFalse(Files.exists(small.resolve(Reconstruction.EMBEDDINGS)));
        assertEquals("kind: sft\n", Files.readString(small.resolve("config.yaml")));
        try (HyperCheckpoint checkpoint = HyperCheckpoint.load(small); HyperCheckpoint original = HyperCheckpoint.load(trained)) {
            assertEquals(original.config(), checkpoint.config());
        }
        assertEquals(0, export(small, "again", "--type", "f32"), err::toString);
        assertArrayEquals(Files.readAllBytes(small.resolve(TaskNeighbours.SMALL_FILE)), Files.readAllBytes(folder.resolve("again").resolve(TaskNeighbours.SMALL_FILE)));
    }

    @Test
    void wrongUsageIsExplained() throws Exception {
        assertEquals(1, export(trained, "x"));
        assertTrue(err.toString().contains("--type"), err.toString());
        assertEquals(1, export(trained, "x", "--type", "f16", "--descriptions", "-1"));
        Files.writeString(folder.resolve("file"), "");
        assertEquals(1, export(trained, "file", "--type", "f16"));
        assertTrue(err.toString().contains("is a file"), err.toString());
    }
}
