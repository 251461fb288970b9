package dev.t2l.train;

import dev.t2l.Tiny;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Three tasks of a few short examples in tasks.json's layout, and a configuration that learns them with the tiny base in a moment. */
final class TinyTasks {
    static final List<String> NAMES = List.of("upper", "lower", "count");

    private TinyTasks() {
    }

    static Path write(Path folder) throws IOException {
        return write(folder, "Write %s.");
    }

    /** @param description of each task, the first one */
    static Path write(Path folder, String description) throws IOException {
        Files.createDirectories(folder.resolve("tasks"));
        var list = new StringBuilder();
        for (String name : NAMES) {
            list.append(list.isEmpty() ? "[" : ",\n").append("""
                    {"name": "%s", "suite": "train", "descriptions": ["%s", "The text in %s", "%s it"], "eval_descriptions": ["Give %s."]}"""
                    .formatted(name, description.formatted(name), name, name, name));
            var lines = new StringBuilder();
            for (int i = 0; i < 12; i++) {
                lines.append("{\"split\": \"%s\", \"input\": \"one %d\", \"output\": \"%s %d\"}\n".formatted(i < 10 ? "train" : "test", i, name, i));
            }
            Files.writeString(folder.resolve("tasks").resolve(name + ".jsonl"), lines);
        }
        Files.writeString(folder.resolve("tasks.json"), list + "]\n");
        return folder;
    }

    /** Keys of a fine-tuning run of a few steps; everything random is on. */
    static Map<String, Object> sft(Path data, Path out) {
        Map<String, Object> keys = new LinkedHashMap<>();
        keys.put("kind", "sft");
        keys.put("base", Tiny.BASE);
        keys.put("data", data);
        keys.put("out", out);
        keys.put("steps", 12);
        keys.put("network.latent", 8);
        keys.put("network.head_in", 8);
        keys.put("adapter.rank", 2);
        keys.put("batch.tasks", 2);
        keys.put("optimiser.rate", 0.01);
        keys.put("validation.every", 4);
        keys.put("validation.examples", 2);
        keys.put("checkpoint.every", 3);
        return keys;
    }
}
