package dev.t2l.examples;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.Adapter;
import dev.t2l.LanguageModel;
import dev.t2l.TextToLora;
import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import dev.t2l.train.SupervisedFineTuning;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A hypernetwork is trained on two tasks, and makes an adapter from a sentence. */
class TrainingExample {

    @Test
    void fromTasksToAHypernetwork(@TempDir Path folder) throws IOException {
        Path examples = Files.writeString(folder.resolve("examples.jsonl"), "{\"input\": \"one\", \"output\": \"two\"}\n".repeat(20));
        var tasks = List.of(
                Map.of("name", "next", "descriptions", List.of("Say the next number.", "Count on."), "examples", examples.toString()),
                Map.of("name", "after", "descriptions", List.of("What comes after it?"), "examples", examples.toString()));
        try (Backend backend = Backend.best()) {
            Path trained = SupervisedFineTuning.builder()
                    .base(Tiny.BASE)                                 // without encoder: the base reads the descriptions
                    .set("data", tasks)                              // or .data(folder with tasks.json)
                    .steps(10)
                    .set("adapter.rank", 2).set("network.latent", 16).set("network.head_in", 16)
                    .out(folder.resolve("run"))
                    .run(backend).trained();
            try (LanguageModel lm = LanguageModel.load(Tiny.BASE, backend);
                 TextToLora t2l = TextToLora.load(trained, lm);
                 Adapter adapter = t2l.generate("Say the number that follows.")) {
                assertTrue(adapter.weights().parameters() > 0);
            }
        }
    }
}
