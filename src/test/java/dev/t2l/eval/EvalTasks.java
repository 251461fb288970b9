package dev.t2l.eval;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Small tasks in the layout of tasks.json: a choice, numbers, and a program; and one without examples. */
public final class EvalTasks {
    private EvalTasks() {
    }

    /** Of "echo", four of six test answers and two of six most frequent training answers are the same. */
    public static Path write(Path folder) throws IOException {
        Files.createDirectories(folder.resolve("tasks"));
        Files.writeString(folder.resolve("tasks.json"), """
                [{"name": "echo", "metric": "exact_match", "suite": "unseen", "options": ["a", "b"], "eval_descriptions": ["Say it.", "Tell a or b", "Repeat."]},
                 {"name": "sums", "metric": "numeric", "suite": "unseen", "eval_descriptions": ["Add.", "Sum up.", "What is the sum?"]},
                 {"name": "code", "metric": "pass_at_1", "suite": "program", "eval_descriptions": ["Write code."], "descriptions": ["Write code.", "What is the sum?"]},
                 {"name": "yell", "metric": "exact_match", "suite": "train", "eval_descriptions": ["Louder."], "descriptions": ["Shout it.", "Add.", "Say it."]}]
                """);
        var echo = new StringBuilder();
        var sums = new StringBuilder();
        for (int i = 0; i < 12; i++) {
            String split = i < 6 ? "train" : "test";
            String letter = i < 6 ? (i < 4 ? "a" : "b") : (i < 8 ? "a" : "b");
            echo.append("{\"split\": \"%s\", \"input\": \"letter %d\", \"output\": \"%s\"}%n".formatted(split, i, letter));
            sums.append("{\"split\": \"%s\", \"input\": \"%d and %d\", \"output\": \"%d\"}%n".formatted(split, i, i, 2 * i));
        }
        Files.writeString(folder.resolve("tasks/echo.jsonl"), echo);
        Files.writeString(folder.resolve("tasks/sums.jsonl"), sums);
        Files.writeString(folder.resolve("tasks/code.jsonl"), "{\"split\": \"test\", \"input\": \"def f():\\n  'F'\\n\", \"output\": \" pass\", "
                + "\"test\": \"def check(f):\\n  pass\", \"entry_point\": \"f\"}\n");
        return folder;
    }
}
