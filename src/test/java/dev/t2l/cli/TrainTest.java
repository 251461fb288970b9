package dev.t2l.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.Drawing;
import dev.t2l.Tiny;
import dev.t2l.train.MetricsLog;
import dev.t2l.train.StepResult;
import dev.t2l.train.TrainingListener.Progress;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @TempDir
    Path folder;

    private int run(String... args) {
        return Main.commandLine(new PrintWriter(out, true), new PrintWriter(err, true)).execute(args);
    }

    @AfterEach
    void quiet() {
        ConsoleLogging.configure(new PrintWriter(System.err, true), false);
    }

    private String config() throws IOException {
        Files.writeString(folder.resolve("echo.jsonl"), "{\"input\": \"one\", \"output\": \"two\"}\n".repeat(20));
        return Files.writeString(folder.resolve("tiny.yaml"), """
                kind: lora
                base: %s
                out: %s
                data:
                  - {name: echo, descriptions: [Say it.], examples: %s}
                steps: 4
                adapter: {rank: 2}
                validation: {every: 2}
                """.formatted(Tiny.BASE, folder.resolve("run"), folder.resolve("echo.jsonl"))).toString();
    }

    @Test
    void trainsAndTells() throws IOException {
        assertEquals(0, run("train", "lora", "--config", config(), "--backend", "java", "--set", "steps=6"), err::toString);
        assertTrue(out.toString().contains("final: trained for 6 steps"), out.toString());
        for (String told : new String[] {"18 examples of 1 tasks", "memory plan:", "step 1/6 loss ", "validation loss", "ETA"}) {
            assertTrue(err.toString().contains(told), told + " in\n" + err);
        }
        assertEquals(6, MetricsLog.read(folder.resolve("run")).stream().filter(line -> line.has("loss")).count());
        assertEquals(1, run("train", "lora", "--config", config(), "--backend", "java", "--set", "steps=6"));
        assertEquals(0, run("train", "lora", "--config", config(), "--backend", "java", "--set", "steps=6", "--resume"), err::toString);
    }

    @Test
    void drawsARun() throws IOException {
        Drawing.assumePossible();
        assertEquals(0, run("train", "lora", "--config", config(), "--backend", "java"), err::toString);
        assertEquals(0, run("plot", folder.resolve("run").toString()), err::toString);
        assertTrue(Files.readString(folder.resolve("run/metrics.svg")).contains("<svg"));
        Path png = folder.resolve("loss.png");
        assertEquals(0, run("plot", folder.resolve("run").toString(), folder.resolve("none").toString(), "--out", png.toString()));
        assertEquals(3 * 320, ImageIO.read(png.toFile()).getHeight());
    }

    private Path found(String charts) throws IOException {
        Path found = Files.createDirectories(folder.resolve("found"));
        Files.writeString(found.resolve("charts.json"), "{\"charts\": [" + charts + "]}");
        return found;
    }

    @Test
    void drawsWhatAnExperimentFound() throws IOException {
        Drawing.assumePossible();
        Path found = found("""
                {"kind": "bars", "title": "scores", "y": "%", "categories": ["a", "b"], "groups": [{"name": "score", "values": [1.5, null]}]},
                {"kind": "points", "title": "lengths", "x": "tokens", "y": "score", "style": "POINTS", "series": [{"name": "one", "x": [1, 2], "y": [0.5, 0], "errors": []}]}
                """);
        assertEquals(0, run("plot", found.toString()), err::toString);
        assertTrue(Files.readString(found.resolve("plot.svg")).contains("<svg"));
        Path png = folder.resolve("found.png");
        assertEquals(0, run("plot", found.toString(), "--out", png.toString()), err::toString);
        assertEquals(2 * 720, ImageIO.read(png.toFile()).getWidth());
    }

    @Test
    void oneExperimentIsDrawnAtATimeAndOnlyChartsThatThereAre() throws IOException {
        Path found = found("{\"kind\": \"pie\"}");
        assertEquals(2, run("plot", found.toString(), folder.toString()));
        assertEquals(0, run("plot", found.toString()));
        assertTrue(err.toString().contains("charts.json: charts: "), err.toString());
    }

    /** One of the two, wherever this runs; a run that cannot be read is told of all the same. */
    @Test
    void whatIsNotDrawnForWantOfFontsIsAWarning() throws IOException {
        Path run = Files.createDirectories(folder.resolve("run"));
        Files.writeString(run.resolve(MetricsLog.FILE), "{\"step\": 1, \"loss\": 2.5}\n");
        assertEquals(0, run("plot", run.toString(), folder.resolve("none").toString()), err::toString);
        assertTrue(err.toString().contains("warning: " + folder.resolve("none") + " is not drawn"), err.toString());
        assertEquals(Drawing.possible(), Files.exists(run.resolve("metrics.svg")), err::toString);
        assertEquals(!Drawing.possible(), err.toString().contains("warning: nothing is drawn: "), err::toString);
    }

    @Test
    void whatCannotBeDrawnIsAWarning() throws IOException {
        Files.createDirectories(folder.resolve("empty"));
        Files.writeString(folder.resolve("empty/metrics.jsonl"), "{\"step\": 1, \"lo");
        assertEquals(0, run("plot", folder.resolve("empty").toString()));
        assertTrue(err.toString().contains("warning: nothing is drawn: there is no step in the metrics"), err.toString());
        assertFalse(Files.exists(folder.resolve("empty/metrics.svg")));
    }

    @Test
    void mistakesAreUsageAndNumbersThatAreNoneAFailure() throws IOException {
        assertEquals(2, run("train", "sft", "--config", config()));
        assertTrue(err.toString().contains("t2l train lora"), err.toString());
        assertEquals(1, run("train", "lora", "--config", config(), "--set", "stepps=3"));
        assertTrue(err.toString().contains("did you mean 'steps'?"), err.toString());
        assertEquals(1, run("train", "lora", "--config", config(), "--backend", "java", "--set", "optimiser={rate: 1e30, warmup: 0}"));
        assertTrue(err.toString().contains("t2l train: step "), err.toString());
    }

    @Test
    void theLiveLineHasAllFigures() {
        var now = new Progress(3, 10, 1e-3, new StepResult(2.25, 0, 0.5), 1234, OptionalDouble.of(0.31), 75, OptionalLong.of(2048));
        assertEquals("loss 2.2500 lr 1.00e-03 norm 0.5 1,234 tok/s MFU 31.0 % 2,048 MiB", TrainingProgress.figures(now).replaceAll("0\\.500", "0.5"));
        var progress = new TrainingProgress(new PrintWriter(err, true), () -> true);
        progress.step(now);
        progress.validated(3, 2, true);
        progress.step(now);
        progress.close();
        assertTrue(err.toString().contains("3/10") && err.toString().contains("ETA 0:01:15"), err.toString());
    }
}
