package dev.t2l.experiment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.Drawing;
import dev.t2l.backend.Backend;
import dev.t2l.data.JsonLines;
import dev.t2l.eval.EvalListener;
import dev.t2l.experiment.Campaign.Report;
import dev.t2l.io.FormatException;
import dev.t2l.train.TrainingListener;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Every experiment from end to end, at tiny size, on plain Java; all in one folder, so that they share what they have in common. */
class ExperimentsTest {
    private static final String UNDRAWN = "warning: %s: the plot is not drawn: ";

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
            var drawing = new Watcher();
            Report first = run(experiment.name(), out, drawing);
            assertEquals(!Drawing.possible(), drawing.notes.stream().anyMatch(note -> note.startsWith(UNDRAWN.formatted(experiment.name()))), drawing.notes::toString);
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
            assertFalse(Charts.read(own).charts().isEmpty());
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

    @TestFactory
    Stream<DynamicTest> eachExperimentIsDrawnAndIsDrawnAgain() {
        return Experiments.all().stream().map(experiment -> DynamicTest.dynamicTest(experiment.name(), () -> {
            Drawing.assumePossible();
            Path own = run(experiment.name(), folder.resolve("all")).folder();
            assertTrue(Files.readString(own.resolve("plot.svg")).contains("<svg"));
            assertTrue(ImageIO.read(own.resolve("plot.png").toFile()).getWidth() > 0);
            Path again = folder.resolve("again.svg");
            Charts.read(own).draw(again);
            assertEquals(Files.readString(own.resolve("plot.svg")), Files.readString(again));
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

    /** So that a network that has only learned the mean of what it was shown is seen to be no better. */
    @Test
    void whatIsLearnedIsHeldAgainstTheOraclesAverageAndTheBase() {
        for (String name : List.of("reconstruction", "compression")) {
            Report report = run(name, folder.resolve("all"));
            Map<String, Object> average = row(report, "average of the oracles");
            Map<String, Object> nearest = row(report, "average of the oracles' ΔW");
            Map<String, Object> base = row(report, "base model");
            assertTrue((double) average.get("error") > 0 && average.containsKey("score"), average::toString);
            assertTrue((double) nearest.get("error") > 0 && (double) nearest.get("error") < 1 && !nearest.containsKey("score"), nearest::toString);
            assertTrue((double) base.get("error") == 1 && base.containsKey("score"), base::toString);
            assertTrue(report.text().contains("over all test lines of a task (majority_test of tasks.json), all others over its first 1 at most"), report.text());
        }
        Map<String, Object> average = row(run("compression", folder.resolve("all")), "average of the oracles");
        assertEquals(TinyLab.TRAINING, (double) average.get("ratio"), 0.5, "as large as one oracle");
    }

    private static Map<String, Object> row(Report report, String adapters) {
        return report.rows().stream().filter(row -> adapters.equals(row.get("adapters"))).findFirst().orElseThrow();
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
    void otherContentsOfDataAreAnotherTraining() throws IOException {
        Path own = TinyLab.write(folder.resolve("changing"));
        var watcher = new Watcher();
        oracles(own, watcher);
        oracles(own, watcher);
        assertEquals(TinyLab.TRAINING, watcher.trainings(), watcher.notes::toString);
        Files.writeString(own.resolve("data/tasks/task3.jsonl"), "{\"split\": \"train\", \"input\": \"7 one\", \"output\": \"7\"}\n", StandardOpenOption.APPEND);
        oracles(own, watcher);
        assertEquals(2 * TinyLab.TRAINING, watcher.trainings(), watcher.notes::toString);
    }

    private static void oracles(Path lab, Watcher watcher) {
        try (Backend backend = Backend.open("java"); var campaign = new Campaign(TinyLab.settings(lab, lab.resolve("out")), backend, watcher)) {
            campaign.run(Experiments.of("oracles"));
        }
    }

    @Test
    void aMissingEncoderIsSaidBeforeAnythingIsTrained() {
        LabSettings all = TinyLab.settings(folder, folder.resolve("missing"));
        var settings = new LabSettings(all.folder(), all.trainings(), all.judging(), 0, Optional.of(folder.resolve("nowhere").toString()), Optional.empty(), "");
        var watcher = new Watcher();
        try (Backend backend = Backend.open("java"); var campaign = new Campaign(settings, backend, watcher)) {
            assertTrue(assertThrows(UncheckedIOException.class, () -> campaign.run(Experiments.of("encoders"))).getMessage().contains("nowhere"));
        }
        assertEquals(0, watcher.trainings(), watcher.notes::toString);
    }

    @Test
    void aRecipeThatDoesNotFitIsSaidBeforeAnythingIsTrained() {
        LabSettings settings = TinyLab.settings(folder, folder.resolve("unfit"), "recon:loss=l3");
        var watcher = new Watcher();
        try (Backend backend = Backend.open("java"); var campaign = new Campaign(settings, backend, watcher)) {
            for (String name : List.of("reconstruction", "compression", "sft-recon")) {
                assertTrue(assertThrows(FormatException.class, () -> campaign.run(Experiments.of(name))).getMessage().contains("loss"));
            }
        }
        assertEquals(0, watcher.trainings(), watcher.notes::toString);
    }

    @Test
    void descriptionsOfTrainingAreAllThatTheRecipeReads() throws IOException {
        Path more = Files.writeString(folder.resolve("more.jsonl"), "{\"task\": \"task1\", \"descriptions\": [\"Another one\"]}\n");
        LabSettings settings = TinyLab.settings(folder, folder.resolve("described"), "sft:more_descriptions=" + more, "sft:descriptions=3");
        try (Backend backend = Backend.open("java"); var campaign = new Campaign(settings, backend, LabListener.NONE);
                var lab = new Laboratory(campaign, Experiments.of("descriptions"))) {
            assertEquals(List.of("Do task1.", "Work on task1", "Another one"), lab.trainingDescriptions().get("task1"));
            assertEquals(TinyLab.TRAINING, lab.trainingDescriptions().size());
        }
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
        assertTrue(watcher.notes.stream().anyMatch(note -> note.startsWith(UNDRAWN.formatted("oracles"))), watcher.notes::toString);
        assertEquals(TinyLab.TRAINING, report.rows().size());
        assertTrue(Charts.in(out.resolve("oracles")), "it can be drawn elsewhere");
    }

    @Test
    void namesAreCorrected() {
        assertTrue(assertThrows(IllegalArgumentException.class, () -> Experiments.of("variant")).getMessage().contains("did you mean 'variants'?"));
        assertEquals(Experiments.all().size(), Experiments.all().stream().map(Experiment::name).distinct().count());
    }
}
