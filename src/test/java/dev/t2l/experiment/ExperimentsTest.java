package dev.t2l.experiment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.backend.Backend;
import dev.t2l.data.JsonLines;
import dev.t2l.eval.EvalListener;
import dev.t2l.experiment.Campaign.Report;
import dev.t2l.train.TrainingListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Every experiment from end to end, at tiny size, on plain Java; all in one folder, so that they share what they have in common. */
class ExperimentsTest {
    @TempDir
    static Path folder;

    @BeforeAll
    static void write() throws IOException {
        TinyLab.write(folder);
    }

    /** What was done, in the order of its doing. */
    private static class Watcher implements LabListener {
        final List<String> notes = new ArrayList<>();
        long answers;

        @Override
        public void note(String text) {
            notes.add(text);
        }

        @Override
        public void warning(String text) {
            notes.add("warning: " + text);
        }

        @Override
        public EvalListener evaluation() {
            return new EvalListener() {
                @Override
                public void answered(String column, long done, long total) {
                    answers++;
                }
            };
        }

        long trainings() {
            return notes.stream().filter(note -> note.startsWith("trains ")).count();
        }
    }

    private static Report run(String experiment, Path out, LabListener listener) {
        try (Backend backend = Backend.open("java"); var campaign = new Campaign(TinyLab.settings(folder, out), backend, listener)) {
            return campaign.run(Experiments.of(experiment));
        }
    }

    private static Report run(String experiment, Path out) {
        return run(experiment, out, LabListener.NONE);
    }

    @TestFactory
    Stream<DynamicTest> eachExperimentWritesItsFilesAndFindsThemAgain() {
        return Experiments.all().stream().map(experiment -> DynamicTest.dynamicTest(experiment.name(), () -> {
            Path out = folder.resolve("all");
            Report first = run(experiment.name(), out);
            Path own = out.resolve(experiment.name());
            assertEquals(own, first.folder());
            assertEquals(first.text(), Files.readString(own.resolve("table.md")));
            assertTrue(first.text().contains(experiment.title()) && first.text().contains("t2l experiment test"), first.text());
            List<JsonNode> lines = JsonLines.read(own.resolve("results.jsonl"));
            assertEquals(first.rows().size(), lines.size());
            assertFalse(lines.isEmpty());
            for (JsonNode line : lines) {
                double score = line.path("score").asDouble(0);
                assertTrue(score >= 0 && score <= 1, line::toString);
            }
            assertTrue(Files.readString(own.resolve("plot.svg")).contains("<svg"));
            assertTrue(ImageIO.read(own.resolve("plot.png").toFile()).getWidth() > 0);
            JsonNode about = new ObjectMapper().readTree(own.resolve("about.json").toFile());
            int commands = about.path("commands").size();
            JsonNode last = about.path("commands").get(commands - 1);
            assertTrue(last.path("seconds").path("all").asDouble() > 0 && last.path("device").isTextual(), about::toString);

            var watcher = new Watcher();
            Report second = run(experiment.name(), out, watcher);
            assertEquals(0, watcher.trainings(), watcher.notes::toString);
            assertEquals(0, watcher.answers);
            assertEquals(scores(first), scores(second));
            assertEquals(commands + 1, new ObjectMapper().readTree(own.resolve("about.json").toFile()).path("commands").size());
        }));
    }

    private static List<Object> scores(Report report) {
        return report.rows().stream().map(row -> (Object) List.of(row.getOrDefault("score", ""), row.getOrDefault("loss", ""), row.getOrDefault("error", ""))).toList();
    }

    @Test
    void experimentsShareRunsAndAnswers() {
        Path out = folder.resolve("shared");
        var watcher = new Watcher();
        run("variants", out, watcher);
        assertEquals(6, watcher.trainings(), watcher.notes::toString); // L, M, S on 9 and 10
        run("scaling", out, watcher);
        assertEquals(8, watcher.trainings(), watcher.notes::toString); // seeds 2 and 3 more
        run("sft-recon", out, watcher);
        assertEquals(8 + 10 + 1, watcher.trainings(), watcher.notes::toString); // ten oracles, one reconstruction
        long answers = watcher.answers;
        run("compression", out, watcher);
        assertEquals(19 + 2, watcher.trainings(), watcher.notes::toString); // M and S
        assertTrue(watcher.answers > answers);
    }

    /** Goes on from wherever it was stopped, and ends with the same numbers. */
    @Test
    void whatWasStoppedGoesOn() {
        Path out = folder.resolve("stopped");
        var stopping = new Watcher() {
            int steps = 13; // in the second training
            int batches = 2;

            @Override
            public TrainingListener training() {
                return new TrainingListener() {
                    @Override
                    public void step(Progress progress) {
                        if (--steps == 0) {
                            throw new IllegalStateException("stopped in training");
                        }
                    }
                };
            }

            @Override
            public EvalListener evaluation() {
                return new EvalListener() {
                    @Override
                    public void answered(String column, long done, long total) {
                        if (--batches == 0) {
                            throw new IllegalStateException("stopped in evaluation");
                        }
                    }
                };
            }
        };
        assertEquals("stopped in training", assertThrows(IllegalStateException.class, () -> run("scaling", out, stopping)).getMessage());
        assertEquals("stopped in evaluation", assertThrows(IllegalStateException.class, () -> run("scaling", out, stopping)).getMessage());
        var after = new Watcher();
        Report ended = run("scaling", out, after);
        assertEquals(0, after.trainings());
        assertEquals(scores(run("scaling", folder.resolve("all"))), scores(ended));
    }

    @Test
    void oneCampaignAtATimeWorksInAFolder() {
        Path out = folder.resolve("locked");
        try (Backend backend = Backend.open("java"); var _ = new Campaign(TinyLab.settings(folder, out), backend, LabListener.NONE)) {
            assertThrows(IllegalStateException.class, () -> new Campaign(TinyLab.settings(folder, out), backend, LabListener.NONE));
        }
    }

    @Test
    void aPlotThatCannotBeDrawnIsAWarning() throws IOException {
        Path out = folder.resolve("undrawn");
        Files.createDirectories(out.resolve("oracles/plot.svg/occupied"));
        var watcher = new Watcher();
        Report report = run("oracles", out, watcher);
        assertTrue(watcher.notes.stream().anyMatch(note -> note.startsWith("warning: oracles: the plot is not drawn")), watcher.notes::toString);
        assertEquals(TinyLab.TRAINING, report.rows().size());
    }

    @Test
    void namesAreCorrected() {
        assertTrue(assertThrows(IllegalArgumentException.class, () -> Experiments.of("variant")).getMessage().contains("did you mean 'variants'?"));
        assertEquals(Experiments.all().size(), Experiments.all().stream().map(Experiment::name).distinct().count());
    }
}
