package dev.t2l.demo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.Adaptation;
import dev.t2l.Adapter;
import dev.t2l.AdapterMix;
import dev.t2l.Chat;
import dev.t2l.Request;
import dev.t2l.Sampling;
import dev.t2l.backend.Backend;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the demo computes, held against the library's own answers on a tiny model. */
class LiveTierTest {
    private static final LiveTier.Effort EFFORT = new LiveTier.Effort(2, 1, 6, 8, 2);
    private static final DemoTasks.Task YES = task("yes", "Answer with yes or no.");
    private static final DemoTasks.Task OPPOSITE = task("opposite", "Name the opposite of the word.");

    private static Backend backend;
    private static DemoModels models;
    private static LiveTier live;

    private static DemoTasks.Task task(String name, String description) {
        return new DemoTasks.Task(name, name, List.of(description), IntStream.range(0, 3).mapToObj(i -> new DemoTasks.Example("prompt " + name + i, List.of("answer"))).toList());
    }

    @BeforeAll
    static void open(@TempDir Path folder) throws Exception {
        backend = Backend.best();
        models = TinyDemo.open(folder, backend);
        live = new LiveTier(models, EFFORT);
    }

    @AfterAll
    static void close() {
        models.close();
        backend.close();
    }

    private static String library(String prompt, Adaptation adaptation, int tokens) {
        return models.base().generate(Request.of(Chat.user(prompt), adaptation, Sampling.greedy().withMaxTokens(tokens))).text();
    }

    @Test
    void aTasksPromptsAreAnsweredThreeWays() {
        LiveTier.TaskResult result = live.task(YES, OPPOSITE);
        assertEquals(EFFORT.prompts(), result.rows().size());
        try (Adapter own = models.t2l().generate(YES.description()); Adapter other = models.t2l().generate(OPPOSITE.description())) {
            for (LiveTier.Row row : result.rows()) {
                assertEquals(library(row.example().input(), Adaptation.none(), EFFORT.tokens()), row.base());
                assertEquals(library(row.example().input(), own, EFFORT.tokens()), row.own());
                assertEquals(library(row.example().input(), other, EFFORT.tokens()), row.other());
            }
        }
    }

    @Test
    void scoresCountAcceptedAnswers() {
        var example = new DemoTasks.Example("in", List.of("Paris", "the  city of Paris"));
        assertTrue(example.accepts(" paris. ") && example.accepts("The city of PARIS"));
        assertFalse(example.accepts("Paris, France") || example.accepts(""));
        var result = new LiveTier.TaskResult(YES, OPPOSITE, List.of(new LiveTier.Row(example, "no", "Paris", "paris"), new LiveTier.Row(example, "x", "paris", "y")));
        assertEquals(new LiveTier.Score(2, 0, 2, 1), result.score());
    }

    @Test
    void eachPromptIsAnsweredUnderBothDescriptions() {
        List<DemoTasks.Example> examples = YES.examples();
        var two = new DemoTasks.TwoWays("two", List.of(new DemoTasks.Way(YES.description(), examples), new DemoTasks.Way(OPPOSITE.description(), examples)));
        List<LiveTier.TwoAnswers> answers = live.twoWays(two);
        assertEquals(EFFORT.shown(), answers.size());
        try (Adapter own = models.t2l().generate(YES.description()); Adapter other = models.t2l().generate(OPPOSITE.description())) {
            assertEquals(library(examples.getFirst().input(), own, EFFORT.tokens()), answers.getFirst().answerToFirst());
            assertEquals(library(examples.getFirst().input(), other, EFFORT.tokens()), answers.getFirst().answerToSecond());
        }
    }

    @Test
    void theUsersOwnAnswersAreTheLibrarys() {
        var base = new StringBuilder();
        var adapted = new StringBuilder();
        live.base("once", base::append);
        live.adapted(YES.description(), "once", adapted::append);
        try (Adapter own = models.t2l().generate(YES.description())) {
            assertEquals(library("once", Adaptation.none(), EFFORT.ownTokens()), base.toString());
            assertEquals(library("once", own, EFFORT.ownTokens()), adapted.toString());
        }
        LiveTier.Latencies times = live.latencies(YES.description(), "once");
        assertTrue(times.median().generate() > 0 && times.median().encode() >= 0 && times.median().firstToken() > 0 && times.parameters() > 0, times.toString());
    }

    @Test
    void aTrainingDescriptionIsNearItsOwnTask() {
        LiveTier.Position position = live.position(TinyDemo.NEAR.getFirst()).orElseThrow();
        assertEquals("truth", position.nearest().task());
        assertEquals(1, position.nearest().cosine(), 1e-3);
        assertFalse(position.far());
        assertTrue(position.loneliest() < 1);
    }

    @Test
    void thePlaygroundsAnswersAreThoseOfMixedAdapters() {
        var playground = new Playground(models, live);
        var wish = new Playground.Wish(YES.description(), OPPOSITE.description(), 0.25f, 2, "once");
        List<String> pieces = new ArrayList<>();
        var adapted = new StringBuilder();
        playground.answer(wish, pieces::add, adapted::append, () -> false);
        assertEquals(library("once", Adaptation.none(), EFFORT.ownTokens()), String.join("", pieces));
        try (Adapter first = models.t2l().generate(YES.description()); Adapter second = models.t2l().generate(OPPOSITE.description())) {
            var mix = AdapterMix.of(new AdapterMix.Part(first, 1.5f), new AdapterMix.Part(second, 0.5f));
            assertEquals(library("once", mix, EFFORT.ownTokens()), adapted.toString());
        }
    }

    @Test
    void strengthScalesTheNormsAndNothingElse() {
        var playground = new Playground(models, live);
        Playground.Made one = playground.make(new Playground.Wish(YES.description(), "", 0.5f, 1, ""));
        Playground.Made two = playground.make(new Playground.Wish(YES.description(), null, 0, 2, null));
        for (int i = 0; i < one.norms().size(); i++) {
            assertTrue(one.norms().get(i).norm() > 0);
            assertEquals(2 * one.norms().get(i).norm(), two.norms().get(i).norm(), 1e-5 * one.norms().get(i).norm());
        }
        assertEquals(one.place(), two.place());
        assertTrue(playground.make(new Playground.Wish(YES.description(), "", 0, 0, "")).norms().stream().allMatch(norm -> norm.norm() == 0));
    }

    @Test
    void normsAreThoseOfTheProduct() {
        // B A = [[1, 2], [0, 2]] [[3, 0], [0, 1]] = [[3, 2], [0, 2]], squares 9 + 4 + 4
        var pair = new LoraWeights.Pair(Tensor.ofFloats(new float[] {3, 0, 0, 1}, 2, 2), Tensor.ofFloats(new float[] {1, 2, 0, 2}, 2, 2), 0.5f);
        List<AdapterNorms.Norm> norms = AdapterNorms.of(new LoraWeights(Map.of(new LoraWeights.Site(3, Projection.Q), pair)));
        assertEquals(1, norms.size());
        assertEquals(3, norms.getFirst().layer());
        assertEquals("q_proj", norms.getFirst().module());
        assertEquals(0.5 * Math.sqrt(17), norms.getFirst().norm(), 1e-6);
    }

    @Test
    void theMapKeepsDistancesThatAPlaneCanHold() {
        double[][] vectors = {{1, 0, 5}, {0, 1, 5}, {-1, 0, 5}, {0, -2, 5}};
        var map = new TaskMap(List.of("a", "b", "c", "d"), vectors);
        for (int i = 0; i < vectors.length; i++) {
            TaskMap.Point there = map.points().get(i);
            TaskMap.Point placed = map.place("again", vectors[i]);
            assertEquals(there.x(), placed.x(), 1e-9);
            assertEquals(there.y(), placed.y(), 1e-9);
            TaskMap.Point first = map.points().getFirst();
            double wanted = Math.hypot(vectors[i][0] - vectors[0][0], vectors[i][1] - vectors[0][1]);
            assertEquals(wanted, Math.hypot(there.x() - first.x(), there.y() - first.y()), 1e-9);
        }
    }

    @Test
    void wishesOutOfRangeAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> new Playground.Wish(" ", "", 0, 1, "x"));
        assertThrows(IllegalArgumentException.class, () -> new Playground.Wish("a", "", 0, 2.5f, "x"));
        assertThrows(IllegalArgumentException.class, () -> new Playground.Wish("a", "", Float.NaN, 1, "x"));
        assertThrows(IllegalArgumentException.class, () -> new Playground.Wish("a".repeat(5000), "", 0, 1, "x"));
    }

    @Test
    void theTasksThatComeAlongAreWhole() {
        DemoTasks tasks = DemoTasks.load();
        assertEquals(4, tasks.tasks().size());
        tasks.tasks().forEach(task -> assertTrue(task.examples().size() >= LiveTier.Effort.on("cpu").prompts() && task.descriptions().size() >= 1, task.name()));
        assertEquals(2, tasks.twoWays().size());
        for (DemoTasks.TwoWays two : tasks.twoWays()) {
            List<DemoTasks.Way> ways = two.ways();
            assertEquals(2, ways.size());
            assertEquals(ways.getFirst().examples().stream().map(DemoTasks.Example::input).toList(), ways.getLast().examples().stream().map(DemoTasks.Example::input).toList());
            assertNotEquals(ways.getFirst().description(), ways.getLast().description());
        }
    }
}
