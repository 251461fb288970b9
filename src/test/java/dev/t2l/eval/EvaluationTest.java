package dev.t2l.eval;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.Adapter;
import dev.t2l.EachBackend;
import dev.t2l.LanguageModel;
import dev.t2l.TextToLora;
import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import dev.t2l.data.JsonLines;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whole evaluations of the tiny model: what is said depends neither on the batch nor on when it was asked. */
class EvaluationTest {
    private static final TableText.Style STYLE = new TableText.Style(Optional.of("t2l"), Map.of("*", "lora"), 0);

    @TempDir
    Path folder;
    private Path model;
    private EvalData data;

    static List<String> backends() {
        return EachBackend.available();
    }

    @BeforeEach
    void write() throws IOException {
        model = Tiny.withChatTemplate(folder.resolve("model"));
        data = new EvalData(EvalTasks.write(folder.resolve("data")));
    }

    private static EvalSettings batches(int of) {
        return new EvalSettings(4, OptionalInt.of(6), 0, of, 0);
    }

    private interface Body {
        void run(LanguageModel lm, List<Column> columns);
    }

    private void with(String backend, Body body) {
        try (Backend open = Backend.open(backend); LanguageModel lm = LanguageModel.load(model, open); TextToLora t2l = TextToLora.load(Tiny.T2L, lm);
                Adapter adapter = Tiny.adapter(lm.config(), 2, 5)) {
            var make = new Columns(0, 2);
            AdapterSource network = AdapterSource.generated(t2l, "network", LoraScale.OWN);
            AdapterSource stored = AdapterSource.stored(adapter, "stored", LoraScale.OWN);
            body.run(lm, List.of(make.constant(), make.trainConstant(), make.base(), make.described(),
                    make.withExamples(data.tasks(Optional.of("unseen"), List.of())), make.adapter("lora", stored), make.describedAdapter("lora", stored),
                    make.random("t2l", network), make.other("t2l", network, data::descriptions), make.vague("t2l", network),
                    make.matching("t2l", network), make.matchingDescribed("t2l", network)));
        }
    }

    static Map<String, String> answers(Path run) {
        Map<String, String> answers = new TreeMap<>();
        for (JsonNode line : JsonLines.read(run.resolve(EvalLog.ANSWERS))) {
            String key = line.path("column").textValue() + " " + line.path("task").textValue() + " " + line.path("description") + " " + line.path("example");
            assertEquals(null, answers.put(key, line.path("answer").textValue()), key + " is there twice");
        }
        return answers;
    }

    private static Map<String, String> likelihoods(Path run) {
        Map<String, String> found = new TreeMap<>();
        for (JsonNode line : JsonLines.read(run.resolve(EvalLog.ANSWERS))) {
            if (line.has("likelihoods")) {
                found.put(line.path("column").textValue() + " " + line.path("description") + " " + line.path("example"), line.path("likelihoods") + " " + line.path("choice"));
            }
        }
        return found;
    }

    private EvalTable run(LanguageModel lm, List<Column> columns, EvalSettings settings, String name, EvalListener listener) {
        return new Evaluation(lm, "tiny", data.tasks(Optional.of("unseen"), List.of()), columns, settings, Optional.empty()).run(folder.resolve(name), listener);
    }

    @ParameterizedTest
    @MethodSource("backends")
    void oneOrEightAtOnceGiveTheSameAnswers(String backend) {
        with(backend, (lm, columns) -> {
            String one = TableText.markdown(run(lm, columns, batches(1), "one", new EvalListener() { }), STYLE);
            String eight = TableText.markdown(run(lm, columns, batches(8), "eight", new EvalListener() { }), STYLE);
            assertEquals(one, eight);
            Map<String, String> answers = answers(folder.resolve("one"));
            assertEquals(answers, answers(folder.resolve("eight")));
            // 2 tasks of 4 examples; base, lora, random, vague: one way; described ones, examples, other, matching: two descriptions
            assertEquals(2 * 4 * (4 + 2 * 6), answers.size());
            assertEquals(likelihoods(folder.resolve("one")), likelihoods(folder.resolve("eight")));
            assertEquals(4 * (4 + 2 * 6), likelihoods(folder.resolve("one")).size(), "one task is a choice");
            assertTrue(answers.values().stream().distinct().count() > 20, "adapters and prompts make a difference");
        });
    }

    private static final class Stopped extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    @Test
    void stoppedAndResumedTheTableIsTheSame() throws IOException {
        with("java", (lm, columns) -> {
            String whole = TableText.markdown(run(lm, columns, batches(8), "whole", new EvalListener() { }), STYLE);
            for (int batches = 1; batches < 16; batches += 5) {
                int most = batches;
                assertThrows(Stopped.class, () -> run(lm, columns, batches(8), "stopped", new EvalListener() {
                    private int count;

                    @Override
                    public void answered(String column, long done, long total) {
                        if (++count == most) {
                            throw new Stopped();
                        }
                    }
                }));
                cutLastLine(folder.resolve("stopped").resolve(EvalLog.ANSWERS));
            }
            List<Long> asked = new ArrayList<>();
            String resumed = TableText.markdown(run(lm, columns, batches(8), "stopped", new EvalListener() {
                @Override
                public void answered(String column, long done, long total) {
                    asked.add(total);
                }
            }), STYLE);
            assertEquals(whole, resumed);
            assertEquals(answers(folder.resolve("whole")), answers(folder.resolve("stopped")));
            assertTrue(asked.getFirst() < 100, "most questions were answered before: " + asked);
            assertEquals(List.copyOf(results("whole")), results("stopped").stream().sorted().toList());
            run(lm, columns, batches(8), "stopped", new EvalListener() {
                @Override
                public void answered(String column, long done, long total) {
                    throw new AssertionError("nothing is left to ask");
                }
            });
            assertEquals(results("whole"), results("stopped").stream().sorted().toList());
        });
    }

    @Test
    void whatADamagedLineHeldIsAskedAgain() throws IOException {
        with("java", (lm, columns) -> {
            List<Column> base = columns.stream().filter(column -> column.name().equals("base")).toList();
            run(lm, base, batches(8), "damaged", new EvalListener() { });
            Map<String, String> before = answers(folder.resolve("damaged"));
            Path file = folder.resolve("damaged").resolve(EvalLog.ANSWERS);
            List<Long> asked = new ArrayList<>();
            try {
                List<String> lines = new ArrayList<>(Files.readAllLines(file));
                lines.set(1, lines.get(1).substring(3));
                Files.write(file, lines);
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
            run(lm, base, batches(8), "damaged", new EvalListener() {
                @Override
                public void answered(String column, long done, long total) {
                    asked.add(total);
                }
            });
            assertEquals(List.of(1L), asked.stream().distinct().toList());
            assertEquals(before, answers(folder.resolve("damaged")));
        });
    }

    private List<String> results(String run) {
        return JsonLines.read(folder.resolve(run).resolve(EvalLog.RESULTS)).stream().map(JsonNode::toString).sorted().toList();
    }

    private static void cutLastLine(Path file) {
        try {
            byte[] all = Files.readAllBytes(file);
            Files.write(file, java.util.Arrays.copyOf(all, all.length - 7));
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @Test
    void whatAnAnswerDependsOnIsAskedAgain() {
        with("java", (lm, columns) -> {
            List<Column> base = columns.stream().filter(column -> column.name().equals("base")).toList();
            run(lm, base, batches(2), "run", new EvalListener() { });
            List<Long> asked = new ArrayList<>();
            EvalListener counting = new EvalListener() {
                @Override
                public void answered(String column, long done, long total) {
                    asked.add(total);
                }
            };
            run(lm, base, new EvalSettings(5, OptionalInt.of(6), 0, 16, 0), "run", counting);
            assertEquals(List.of(2L), asked, "one more example of two tasks");
            run(lm, base, new EvalSettings(5, OptionalInt.of(7), 0, 16, 0), "run", counting);
            assertEquals(List.of(2L, 10L), asked, "longer answers");
        });
    }

    @Test
    void programsAreRunOnce() {
        ProgramRunner runner;
        try {
            runner = ProgramRunner.open();
        } catch (IllegalStateException e) {
            abort(e.getMessage());
            return;
        }
        with("java", (lm, columns) -> {
            List<EvalTask> programs = data.tasks(Optional.of("program"), List.of());
            assertThrows(IllegalArgumentException.class, () -> new Evaluation(lm, "tiny", programs, columns, batches(2), Optional.empty()));
            List<Column> base = columns.stream().filter(column -> column.name().equals("base")).toList();
            EvalTable first = new Evaluation(lm, "tiny", programs, base, batches(2), Optional.of(runner)).run(folder.resolve("run"), new EvalListener() { });
            JsonNode line = JsonLines.read(folder.resolve("run").resolve(EvalLog.ANSWERS)).getFirst();
            assertEquals(runner.passes(programs.getFirst().tests().getFirst().test().orElseThrow().program(line.path("answer").textValue())),
                    line.path("score").doubleValue() == 1);
            assertEquals(line.path("score").doubleValue(), first.score("base", "code"));
            EvalTask task = programs.getFirst();
            var answer = new Answer(line.path("answer").textValue(), 1, true, List.of());
            var known = new Scores(Optional.empty()); // nothing can be run: the score is read
            try (var _ = new EvalLog(folder.resolve("run"), known)) {
                assertEquals(line.path("score").doubleValue(), known.of(question(base.getFirst(), task), answer));
                EvalExample example = task.tests().getFirst();
                var stricter = new EvalExample(example.input(), example.outputs(), List.of(), Optional.of(new ProgramTest(example.input(), "def check(f):\n  assert f()", "f")));
                var other = new EvalTask(task.name(), task.suite(), task.metric(), task.evalDescriptions(), List.of(), List.of(stricter), "");
                assertThrows(NoSuchElementException.class, () -> known.of(question(base.getFirst(), other), answer), "of another test nothing is known");
            }
        });
    }

    private static Question question(Column column, EvalTask task) {
        Cell cell = Cell.of((Column.Asked) column, task).getFirst();
        return new Question(cell, 0, new int[] {1}, 1, List.of(), new Question.AdapterOf(AdapterSource.NONE, ""), "digest");
    }

    @Test
    void constantAnswersToProgramsAreNotRun() {
        EvalTask code = data.tasks(Optional.of("program"), List.of()).getFirst();
        assertEquals(0, code.trainConstantScore(), "it has no train part");
        EvalTask trained = new EvalTask(code.name(), "", code.metric(), List.of(), code.tests(), code.tests(), "");
        assertEquals(1, trained.trainConstantScore());
    }

    @Test
    void oneRunAtATimeWritesAFolder() {
        with("java", (lm, columns) -> {
            try (var _ = new EvalLog(folder.resolve("run"), new Scores(Optional.empty()))) {
                assertThrows(IllegalStateException.class, () -> run(lm, columns.subList(0, 1), batches(2), "run", new EvalListener() { }));
            }
            run(lm, columns.subList(0, 1), batches(2), "run", new EvalListener() { });
        });
    }

    @Test
    void namesAreTheirOwn() {
        with("java", (lm, columns) -> {
            EvalTask task = data.tasks(Optional.of("unseen"), List.of()).getFirst();
            assertTrue(assertThrows(IllegalArgumentException.class, () -> new Evaluation(lm, "tiny", List.of(task, task), columns, batches(2), Optional.empty()))
                    .getMessage().contains("two tasks are called 'echo'"));
        });
        assertThrows(IllegalArgumentException.class, () -> new Columns(0, 0));
    }

    @Test
    void scoresAreTheMetricsMeans() {
        with("java", (lm, columns) -> {
            EvalTable table = run(lm, columns, batches(8), "run", new EvalListener() { });
            assertEquals(List.of("echo", "sums"), table.tasks());
            assertEquals(4.0 / 6, table.score("constant", "echo"), 1e-12);
            assertEquals(2.0 / 4, table.score("constant-train", "echo"), 1e-12, "of the four that are asked");
            assertEquals(List.of("constant"), table.wholeColumns());
            assertTrue(TableText.markdown(table, STYLE).contains("constant: over all test examples of a task (majority_test of tasks.json); "
                    + "the other columns: over its first 4 at most"));
            assertTrue(TableText.markdown(table, STYLE).contains("by description"));
            EvalTable once = run(lm, columns.subList(0, 3), batches(8), "once", new EvalListener() { });
            assertFalse(TableText.markdown(once, new TableText.Style(Optional.empty(), Map.of(), 0)).contains("by description"), "no column reads several");
            for (JsonNode line : JsonLines.read(folder.resolve("run").resolve(EvalLog.RESULTS))) {
                CellScore cell = table.cells(line.path("column").textValue(), line.path("task").textValue()).get(Math.max(0, line.path("description").intValue() - 1));
                assertEquals(line.path("score").doubleValue(), cell.score());
                double[] scores = JsonLines.read(folder.resolve("run").resolve(EvalLog.ANSWERS)).stream().filter(a -> a.path("column").equals(line.path("column"))
                        && a.path("task").equals(line.path("task")) && a.path("description").equals(line.path("description")))
                        .mapToDouble(a -> a.path("score").doubleValue()).toArray();
                if (scores.length > 0) {
                    assertEquals(4, scores.length);
                    assertEquals(java.util.Arrays.stream(scores).average().orElseThrow(), cell.score(), 1e-12);
                }
            }
            EvalTable likeliest = table.byLikelihood().orElseThrow();
            assertEquals(List.of("echo"), likeliest.tasks());
            assertEquals(table.score("constant", "echo"), likeliest.score("constant", "echo"));
            assertTrue(likeliest.byLikelihood().isEmpty());
            for (CellScore cell : likeliest.cells("t2l", "echo")) {
                long right = 0;
                for (JsonNode line : JsonLines.read(folder.resolve("run").resolve(EvalLog.ANSWERS))) {
                    if (line.path("column").asText().equals("t2l") && line.path("task").asText().equals("echo") && line.path("description").asInt() == cell.description()) {
                        boolean a = line.path("likelihoods").get(0).doubleValue() >= line.path("likelihoods").get(1).doubleValue();
                        assertEquals(a ? "a" : "b", line.path("choice").textValue());
                        right += line.path("choice").textValue().equals(line.path("example").asInt() < 2 ? "a" : "b") ? 1 : 0;
                    }
                }
                assertEquals(right / 4.0, cell.score(), 1e-12);
            }
            assertFalse(table.cells("t2l", "echo").get(0).text().equals(table.cells("t2l", "echo").get(1).text()));
        });
    }
}
