package dev.t2l.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.io.FormatException;
import dev.t2l.train.TrainingTask.Example;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TrainingDataTest {
    @TempDir
    Path folder;

    private static List<TrainingTask> load(Object data, Map<String, Object> more) {
        Map<String, Object> keys = new HashMap<>(Map.of("base", "model", "data", data, "steps", 1));
        keys.putAll(more);
        return TrainingData.load(TrainingConfig.of(keys), true);
    }

    private static List<String> names(List<TrainingTask> tasks) {
        return tasks.stream().map(TrainingTask::name).toList();
    }

    @Test
    void aFolderOfTasks() throws IOException {
        TinyTasks.write(folder);
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(folder.resolve("tasks/upper.jsonl.gz")))) {
            out.write("{\"input\": \"packed\", \"output\": \"PACKED\"}\n".getBytes(StandardCharsets.UTF_8));
        }
        List<TrainingTask> tasks = load(folder, Map.of("descriptions", 2));
        assertEquals(TinyTasks.NAMES, names(tasks));
        assertEquals(List.of(new Example("packed", "PACKED")), tasks.getFirst().examples());
        assertEquals(2, tasks.getFirst().descriptions().size());
        assertEquals(10, tasks.getLast().examples().size());
        assertEquals(List.of(new Example("one 10", "count 10"), new Example("one 11", "count 11")), tasks.getLast().heldOut());
    }

    @Test
    void furtherDescriptions() throws IOException {
        TinyTasks.write(folder);
        int own = load(folder, Map.of()).getFirst().descriptions().size();
        Path more = Files.writeString(folder.resolve("more.jsonl"), """
                {"task": "elsewhere", "descriptions": ["Not here."]}
                {"task": "upper", "descriptions": ["Shout it.", "Answer in capitals.", "Shout it."]}
                """);
        List<TrainingTask> tasks = load(folder, Map.of("more_descriptions", more.toString()));
        assertEquals(List.of("Shout it.", "Answer in capitals."), tasks.getFirst().descriptions().subList(own, own + 2));
        assertEquals(own + 2, tasks.getFirst().descriptions().size());
        assertEquals(load(folder, Map.of()).getLast(), tasks.getLast());

        Files.writeString(more, "{\"task\": \"elsewhere\", \"descriptions\": [\"Not here.\"]}\n");
        assertThrows(FormatException.class, () -> load(folder, Map.of("more_descriptions", more.toString())));
        Files.writeString(more, "{\"task\": \"upper\", \"descriptions\": [\" \"]}\n");
        assertThrows(FormatException.class, () -> load(folder, Map.of("more_descriptions", more.toString())));
    }

    @Test
    void variantsWithOtherNamesForAnswers() throws IOException {
        Files.writeString(folder.resolve("signs.jsonl"), """
                {"input": "-1", "output": "minus"}
                {"input": "7", "output": "plus"}
                {"input": "-3", "output": "minus", "split": "test"}
                """);
        Path list = Files.writeString(folder.resolve("list.yaml"), """
                - name: signs
                  descriptions: [Tell the sign.]
                  examples: signs.jsonl
                """);
        Path variants = folder.resolve("variants.jsonl");
        String line = "{\"name\": \"signs.yes_no\", \"of\": \"%s\", \"answers\": {%s}, \"descriptions\": [\"Is it below zero? Yes or No.\"]}\n";
        String answers = "\"minus\": \"Yes\", \"plus\": \"No\"";
        Files.writeString(variants, line.formatted("elsewhere", answers).replace("signs.", "other.") + line.formatted("signs", answers));
        List<TrainingTask> tasks = load(list, Map.of("variants", variants.toString()));
        assertEquals(List.of("signs", "signs.yes_no"), names(tasks));
        assertEquals(new TrainingTask("signs.yes_no", List.of("Is it below zero? Yes or No."), List.of(),
                List.of(new Example("-1", "Yes"), new Example("7", "No")), List.of()), tasks.getLast());

        Files.writeString(variants, line.formatted("signs", "\"minus\": \"Yes\""));
        String lacks = assertThrows(FormatException.class, () -> load(list, Map.of("variants", variants.toString()))).getMessage();
        assertTrue(lacks.contains("plus"), lacks);
        Files.writeString(variants, line.formatted("signs", answers).repeat(2));
        assertThrows(FormatException.class, () -> load(list, Map.of("variants", variants.toString())));
    }

    @Test
    void someOfTheTasks() throws IOException {
        TinyTasks.write(folder);
        assertEquals(List.of("count", "upper"), names(load(folder, Map.of("tasks", List.of("count", "upper")))));
        Path list = Files.writeString(folder.resolve("names.txt"), "lower\n# not this one\n\ncount\n");
        assertEquals(List.of("lower", "count"), names(load(folder, Map.of("tasks", list.toString()))));
        List<String> drawn = names(load(folder, Map.of("tasks", Map.of("count", 2, "seed", 3))));
        assertEquals(2, drawn.size());
        assertEquals(drawn, names(load(folder, Map.of("tasks", Map.of("count", 2, "seed", 3)))));
        String unknown = assertThrows(IllegalArgumentException.class, () -> load(folder, Map.of("tasks", List.of("uper")))).getMessage();
        assertTrue(unknown.contains("did you mean 'upper'?"), unknown);
        assertThrows(IllegalArgumentException.class, () -> load(folder, Map.of("tasks", Map.of("count", 4))));
        assertThrows(IllegalArgumentException.class, () -> load(folder, Map.of("suite", "test_unseen")));
    }

    @Test
    void aListOfTasksWithTemplatesOverTheirFields() throws IOException {
        Files.writeString(folder.resolve("sums.json"), """
                [{"a": 1, "b": 2, "sum": 3, "options": ["3", "4"]},
                 {"a": 5, "b": 6, "sum": 11, "options": ["11"]}]""");
        Files.writeString(folder.resolve("words.txt"), "Add.\n\nAdd both.\n");
        Path list = Files.writeString(folder.resolve("list.yaml"), """
                - name: sums
                  descriptions: words.txt
                  eval_descriptions: [Sum up.]
                  examples: sums.json
                  prompt: "{a} + {b} = {{?}}\\n{options}"
                  response: "{sum}"
                """);
        TrainingTask task = load(list, Map.of()).getFirst();
        assertEquals(List.of("Add.", "Add both."), task.descriptions());
        assertEquals(List.of("Sum up."), task.evalDescriptions());
        assertEquals(new Example("1 + 2 = {?}\n3\n4", "3"), task.examples().getFirst());
        String missing = assertThrows(FormatException.class, () -> {
            Files.writeString(folder.resolve("sums.json"), "[{\"a\": 1, \"b\": 2, \"options\": []},\n {\"a\": 1}]");
            load(list, Map.of());
        }).getMessage();
        assertTrue(missing.contains("sums.json: line 1: field 'sum'"), missing);
    }

    @Test
    void reconstructionReadsNoExamples() throws IOException {
        Path list = Files.writeString(folder.resolve("list.yaml"), "- {name: sums, descriptions: [Add.]}\n");
        var config = TrainingConfig.of(Map.of("kind", "recon", "base", "model", "data", list, "reconstruction.oracles", "oracles", "steps", 1));
        assertEquals("sums", TrainingData.load(config, false).getFirst().name());
        String missing = assertThrows(FormatException.class, () -> load(list, Map.of())).getMessage();
        assertTrue(missing.contains("line 1, key 'tasks[0].examples': is missing"), missing);
    }

    @Test
    void withoutATestPartTheLastExamplesAreHeldOut() throws IOException {
        var lines = new StringBuilder();
        for (int i = 0; i < 30; i++) {
            lines.append("{\"prompt\": \"p").append(i).append("\", \"response\": \"r\"}\n");
        }
        Files.writeString(folder.resolve("x.jsonl"), lines);
        Map<String, Object> task = Map.of("name", "x", "descriptions", List.of("d"), "examples", folder.resolve("x.jsonl").toString());
        assertEquals(3, load(List.of(task), Map.of()).getFirst().heldOut().size());
        assertEquals("p29", load(List.of(task), Map.of("validation.examples", 1)).getFirst().heldOut().getFirst().prompt());
        assertEquals(30, load(List.of(task), Map.of("validation.every", 0)).getFirst().examples().size());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "{\"input\": \"a\", \"output\": \"b\"}\\n\\n{\"input\": \"a\"  | line 3: Unexpected end-of-input",
        "{\"input\": \"a\", \"output\": \"b\"}\\n{\"input\": \"a\"} | line 2: field 'output': wanted text, found none; there are [input]",
        "{\"input\": [1], \"output\": \"b\"} | line 1: field 'input': wanted text, found ARRAY",
        "[1] | line 1: wanted an object, found ARRAY",
        "{\"input\": \"a\", \"output\": \"b\", \"split\": \"test\"} | there is none to train on (1 are held out)"})
    void malformedExamplesAreNamedWithTheirLine(String lines, String complaint) throws IOException {
        TinyTasks.write(folder);
        Files.writeString(folder.resolve("tasks/lower.jsonl"), lines.replace("\\n", "\n"));
        String message = assertThrows(FormatException.class, () -> load(folder, Map.of())).getMessage();
        assertTrue(message.contains("lower.jsonl: ") && message.contains(complaint), message);
    }

    @Test
    void templatesAreChecked() {
        for (String wrong : List.of("{", "a } b", "{}")) {
            assertThrows(IllegalArgumentException.class, () -> new PromptTemplate(wrong), wrong);
        }
    }
}
