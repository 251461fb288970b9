package dev.t2l.train;

import dev.t2l.data.JsonRecords;
import dev.t2l.io.FormatException;
import dev.t2l.train.TrainingTask.Example;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A task made of another by giving its answers other names, which the descriptions say: so that descriptions are read for the form of
 * the answer, too. JSON lines, perhaps gzipped, of {@code name}, {@code of} (the task's), {@code answers} (an object from each answer to its new
 * name) and {@code descriptions}.
 */
record TaskVariant(String name, String of, Map<String, String> answers, List<String> descriptions, JsonRecords record) {
    /** @throws FormatException naming file and line */
    static List<TaskVariant> read(Path file) {
        List<TaskVariant> variants = JsonRecords.read(file).stream().map(TaskVariant::of).toList();
        var names = new HashSet<String>();
        for (TaskVariant v : variants) {
            if (!names.add(v.name)) {
                throw v.record.problem("the variant '" + v.name + "' is there twice");
            }
        }
        return variants;
    }

    private static TaskVariant of(JsonRecords record) {
        Map<String, String> answers = new LinkedHashMap<>();
        record.object().path("answers").properties().forEach(answer -> answers.put(answer.getKey(), answer.getValue().asText()));
        List<String> descriptions = record.texts("descriptions");
        if (descriptions.isEmpty() || descriptions.stream().anyMatch(String::isBlank)) {
            throw record.problem("wanted descriptions, none of them empty");
        }
        if (answers.values().stream().anyMatch(String::isBlank)) {
            throw record.problem("an answer's new name is empty");
        }
        return new TaskVariant(record.text("name"), record.text("of"), answers, descriptions, record);
    }

    /**
     * The task with its training examples' answers renamed; none is held out, and none of its descriptions is the other's.
     *
     * @throws FormatException if an answer has no new name
     */
    TrainingTask of(TrainingTask task) {
        List<Example> examples = task.examples().stream().map(example -> new Example(example.prompt(), renamed(example.response()))).toList();
        return new TrainingTask(name, descriptions, List.of(), examples, List.of());
    }

    private String renamed(String answer) {
        String renamed = answers.get(answer);
        if (renamed == null) {
            throw record.problem("'" + of + "' has the answer '" + answer + "', for which there is no name among " + answers.keySet());
        }
        return renamed;
    }
}
