package dev.t2l.eval;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.t2l.EachBackend;
import dev.t2l.LanguageModel;
import dev.t2l.TextEncoder;
import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import dev.t2l.io.FormatException;
import dev.t2l.io.PeftScaling;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Columns whose adapters were trained on single tasks. */
class TaskAdaptersTest {
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
        try (Backend java = Backend.open("java"); LanguageModel lm = LanguageModel.load(model, java)) {
            Tiny.adapter(lm.config(), 2, 1).save(folder.resolve("oracles/echo/final"));
            Tiny.adapter(lm.config(), 2, 2).save(folder.resolve("oracles/sums"));
            Tiny.adapter(lm.config(), 2, 3).save(folder.resolve("oracles/yell"));
            Tiny.adapter(lm.config(), 2, 4).save(folder.resolve("oracles/code"));
            Files.createDirectories(folder.resolve("oracles/nothing"));
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void columnsOfALibraryDoNotDependOnTheBatch(String backend) {
        try (Backend open = Backend.open(backend); LanguageModel lm = LanguageModel.load(model, open); TextEncoder encoder = TextEncoder.of(lm);
                var library = new TaskAdapters(lm, List.of(folder.resolve("oracles")), LoraScale.OWN);
                var halved = new TaskAdapters(lm, List.of(folder.resolve("oracles")), LoraScale.ALPHA_OVER_SQRT_R)) {
            assertEquals(Set.of("echo", "sums", "yell", "code"), library.tasks());
            List<String> others = List.of("yell", "code");
            var nearest = new NearestTask(encoder, data.trainingDescriptions(others));
            var make = new Columns(0, 3);
            List<Column> columns = List.of(make.base(), make.adapter("average", library.average(others)), make.adapter("arrow", library.arrow(others)),
                    make.nearest(library.each(), nearest::of), make.oracle(library.each()));
            List<EvalTask> tasks = data.tasks(Optional.of("unseen"), List.of());
            Map<Integer, Map<String, String>> said = new LinkedHashMap<>();
            for (int batch : new int[] {1, 8}) {
                Path run = folder.resolve(backend + batch);
                new Evaluation(lm, "tiny", tasks, columns, new EvalSettings(4, OptionalInt.of(6), 0, batch, 0), Optional.empty()).run(run, new EvalListener() { });
                said.put(batch, EvaluationTest.answers(run));
            }
            assertEquals(said.get(1), said.get(8));
            for (String column : List.of("average", "arrow", "oracle")) {
                assertNotEquals(of("base", said.get(1)), of(column, said.get(1)), column);
            }
            assertNotEquals(library.each().identity("echo"), library.each().identity("sums"));
            assertNotEquals(library.each().identity("echo"), halved.each().identity("echo"));
        }
    }

    private static List<String> of(String column, Map<String, String> answers) {
        return answers.entrySet().stream().filter(answer -> answer.getKey().startsWith(column + " ")).map(Map.Entry::getValue).toList();
    }

    @Test
    void theNearestTaskHasTheClosestDescription() {
        try (Backend open = Backend.open("java"); LanguageModel lm = LanguageModel.load(model, open); TextEncoder encoder = TextEncoder.of(lm)) {
            var nearest = new NearestTask(encoder, data.trainingDescriptions(List.of("code", "yell")));
            assertEquals("yell", nearest.of("Add."));
            assertEquals("yell", nearest.of("Say it."));
            assertEquals("code", nearest.of("What is the sum?"));
            assertThrows(IllegalArgumentException.class, () -> new NearestTask(encoder, data.trainingDescriptions(List.of("echo"))));
        }
    }

    @Test
    void aFolderWithoutAdaptersIsRefused() throws IOException {
        Files.createDirectories(folder.resolve("empty/runs"));
        assertThrows(FormatException.class, () -> new TaskAdapters(null, List.of(folder.resolve("empty")), LoraScale.OWN));
    }

    @Test
    void scales() {
        assertEquals(Math.sqrt(8), LoraScale.of("alpha/sqrt(r)").factor(new PeftScaling(8, 16, false)), 1e-6);
        assertEquals(1 / Math.sqrt(8), LoraScale.of("alpha/r").factor(new PeftScaling(8, 16, true)), 1e-6);
        assertEquals(1, LoraScale.of("alpha/r").factor(new PeftScaling(8, 16, false)));
        assertEquals(1, LoraScale.of("alpha/sqrt(r)").factor(new PeftScaling(8, 16, true)));
        assertEquals(1, LoraScale.of("own").factor(new PeftScaling(8, 16, true, Map.of("q_proj", 4), Map.of())));
        assertThrows(IllegalArgumentException.class, () -> LoraScale.ALPHA_OVER_R.factor(new PeftScaling(8, 16, true, Map.of("q_proj", 4), Map.of())));
        assertThrows(IllegalArgumentException.class, () -> LoraScale.of("alpha"));
    }
}
