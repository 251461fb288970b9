package dev.t2l.experiment;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.Drawing;
import dev.t2l.TextEncoder;
import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import dev.t2l.data.JsonLines;
import dev.t2l.eval.NearestTask;
import dev.t2l.experiment.Campaign.Report;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The experiments that look into one hypernetwork: a given one, which trains nothing. */
class OneNetworkTest {
    @TempDir
    static Path folder;

    @BeforeAll
    static void write() throws IOException {
        TinyLab.write(folder);
    }

    private static Report run(Experiment experiment) {
        LabSettings tiny = TinyLab.settings(folder, folder.resolve("out"));
        var given = new LabSettings(tiny.folder(), tiny.trainings(), tiny.judging(), tiny.seed(), tiny.gte(),
                Optional.of(Tiny.GTE_T2L), tiny.command());
        List<String> notes = new ArrayList<>();
        try (Backend backend = Backend.open("java"); var campaign = new Campaign(given, backend, new LabListener() {
            @Override
            public void note(String text) {
                notes.add(text);
            }
        })) {
            Report report = campaign.run(experiment);
            assertFalse(notes.stream().anyMatch(note -> note.startsWith("trains")), notes::toString);
            return report;
        }
    }

    private static Map<String, Object> row(Report report, String key, String value) {
        return report.rows().stream().filter(row -> value.equals(row.get(key))).findFirst().orElseThrow();
    }

    /** Two tasks, two evaluation and two other descriptions each: per task four of its own, two of the other task, one random, one vague. */
    @Test
    void descriptions() {
        Report found = run(new Descriptions());
        List<JsonNode> points = JsonLines.read(found.folder().resolve("points.jsonl"));
        assertEquals(2 * (4 + 2 + 1 + 1), points.size());
        for (JsonNode point : points) {
            double distance = point.path("distance").asDouble(-1);
            assertTrue(distance > -1e-9 && distance <= 2 && point.path("tokens").asInt() > 2, point::toString);
        }
        JsonNode other = points.stream().filter(point -> point.path("kind").asText().equals("of another task")
                && point.path("task").asText().equals("other")).findFirst().orElseThrow();
        assertEquals("It is another.", other.path("description").asText());
        assertEquals(16, row(found, "over", "all").get("points"));
        assertEquals(8, row(found, "over", "matching, and more").get("points"));
        assertTrue(found.rows().stream().anyMatch(row -> "random".equals(row.get("kind")) && row.get("wins") != null));
    }


    @Test
    void embeddings() {
        Report found = run(new Embeddings());
        assertEquals(24, row(found, "label", "tasks").get("things"));
        assertEquals(2, row(found, "label", "family unseen").get("things"));
        for (String space : List.of("embeddings", "activations", "adapters")) {
            double silhouette = (double) row(found, "label", "families").get(space);
            assertTrue(silhouette >= -1 && silhouette <= 1, space + " " + silhouette);
        }
        assertEquals(12 * 11 / 2, row(found, "over", "all tasks").get("points"));
        assertEquals(found.rows(), run(new Embeddings()).rows(), "the same seed");
    }

    @Test
    void cost() {
        Report found = run(new Cost());
        double first = (double) row(found, "until", "the answer's end").get("first");
        double next = (double) row(found, "until", "the answer's end").get("next");
        assertTrue(first > next, "the adapter has to be made once");
        assertTrue((double) row(found, "way", "T2L").get("generate") > 0);
        assertTrue((double) row(found, "way", "3-shot").get("token") > 0);
        assertTrue(Charts.in(found.folder()));
    }

    @Test
    void costIsDrawn() throws IOException {
        Drawing.assumePossible();
        assertTrue(Files.size(run(new Cost()).folder().resolve("plot.svg")) > 0);
    }

    @Test
    void nearestDescriptions() {
        try (Backend backend = Backend.open("java"); var encoder = TextEncoder.load(Tiny.GTE_T2L.resolve("gte-tiny"), backend)) {
            var trained = new NearestTask(encoder, Map.of("sums", List.of("Add the numbers.", "What is the sum"), "film", List.of("Name the film.")));
            NearestTask.Found found = trained.closest(encoder.embedTasks(List.of("What is the sum."))[0]);
            assertEquals("sums", found.task());
            assertEquals(0, found.distance(), 1e-6, "a full stop is added");
            assertArrayEquals(new int[] {encoder.taskTokens(List.of("What is the sum."))[0]}, encoder.taskTokens(List.of("What is the sum")));
        }
    }
}
