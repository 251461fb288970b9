package dev.t2l.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.backend.Backend;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run in a process of its own, killed at random steps, 20 times, resumed each time, ends with the bits of the run that nobody disturbed. */
class KillAndResumeTest {
    private static final int KILLS = 20;
    private static final int MOST_STEPS = 7;
    private static final List<String> TRAINED = List.of("final/hypermod.safetensors", "best/hypermod.safetensors", "final/args.yaml", "checkpoints/step-%08d/state.safetensors"
            .formatted(KilledRun.STEPS));

    @TempDir
    Path folder;

    private Process start(Path out, Path err) throws IOException {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        return new ProcessBuilder(java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "--enable-native-access=ALL-UNNAMED", "-cp",
                System.getProperty("java.class.path"), KilledRun.class.getName(), folder.toString(), out.toString()).redirectError(err.toFile()).start();
    }

    /** Lets it take so many steps, then kills it at a moment of the next one; false if it ended before. */
    private static boolean kill(Process process, int steps, long nanos) throws IOException, InterruptedException {
        try (BufferedReader lines = process.inputReader()) {
            for (int i = 0; i < steps; i++) {
                if (lines.readLine() == null) {
                    return false;
                }
            }
            TimeUnit.NANOSECONDS.sleep(nanos);
            process.destroyForcibly().waitFor();
            return true;
        }
    }

    @Test
    void endsWithTheSameBits() throws Exception {
        TinyTasks.write(folder.resolve("data"));
        KilledRun.writeBase(folder.resolve("base"));
        Path err = folder.resolve("err");
        var random = new SplittableRandom(20);
        for (int i = 0; i < KILLS; i++) {
            Process process = start(folder.resolve("killed"), err);
            assertTrue(kill(process, random.nextInt(1, MOST_STEPS), random.nextLong(10_000_000)), () -> "ended by itself: " + text(err));
        }
        Process last = start(folder.resolve("killed"), err);
        last.inputReader().lines().forEach(_ -> { });
        assertEquals(0, last.waitFor(), () -> text(err));
        try (Backend backend = Backend.open("java")) {
            KilledRun.builder(folder, folder.resolve("whole")).run(backend);
        }
        for (String file : TRAINED) {
            assertArrayEquals(Files.readAllBytes(folder.resolve("whole").resolve(file)), Files.readAllBytes(folder.resolve("killed").resolve(file)), file);
        }
        List<List<JsonNode>> whole = metrics("whole");
        assertNotEquals(0, whole.size());
        assertEquals(whole, metrics("killed"));
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }

    /** Of each line what does not depend on the clock. */
    private List<List<JsonNode>> metrics(String run) {
        List<List<JsonNode>> lines = new ArrayList<>();
        for (JsonNode line : MetricsLog.read(folder.resolve(run))) {
            lines.add(List.of(line.path("step"), line.path("loss"), line.path("penalty"), line.path("gradient_norm"), line.path("rate"), line.path("validation_loss"), line.path("best")));
        }
        return lines;
    }
}
