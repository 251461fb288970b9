package dev.t2l.demo;

import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import dev.t2l.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The demo's models, tiny; the base reads the descriptions. Three training tasks of made-up descriptions lie beside the checkpoint. */
final class TinyDemo {
    static final List<String> NEAR = List.of("Answer with yes or no.", "Is it true?");

    private TinyDemo() {
    }

    /** @param folder of a copy of the models */
    static DemoModels open(Path folder, Backend backend) throws IOException {
        Path base = Tiny.withChatTemplate(folder.resolve("base"));
        Path checkpoint = Tiny.copy(Tiny.T2L, folder.resolve("t2l"));
        try (DemoModels bare = DemoModels.open(base, checkpoint, Optional.empty(), backend)) {
            Map<String, Tensor> tasks = new LinkedHashMap<>();
            tasks.put("truth", embeddings(bare, NEAR));
            tasks.put("opposites", embeddings(bare, List.of("Name the opposite.", "Give an antonym of the word.")));
            tasks.put("cities", embeddings(bare, List.of("Name the city.", "Where does the organisation sit?")));
            TaskNeighbours.writeSmall(checkpoint, tasks);
        }
        return DemoModels.open(base, checkpoint, Optional.empty(), backend);
    }

    private static Tensor embeddings(DemoModels models, List<String> descriptions) {
        float[][] rows = models.encoder().embedTasks(descriptions);
        float[] all = new float[rows.length * rows[0].length];
        for (int i = 0; i < rows.length; i++) {
            System.arraycopy(rows[i], 0, all, i * rows[i].length, rows[i].length);
        }
        return Tensor.ofFloats(all, rows.length, rows[0].length);
    }
}
