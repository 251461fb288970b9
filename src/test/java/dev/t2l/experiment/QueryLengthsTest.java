package dev.t2l.experiment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.t2l.Golden;
import dev.t2l.LanguageModel;
import dev.t2l.Models;
import dev.t2l.backend.Backend;
import dev.t2l.eval.Column;
import dev.t2l.eval.Columns;
import dev.t2l.eval.EvalData;
import dev.t2l.eval.EvalTask;
import dev.t2l.eval.Metric;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("models")
class QueryLengthsTest {
    /** The numbers that stand for the suite are those that its tasks have. */
    @Test
    void theSuiteIsAsCounted() {
        Path model = Models.require("SmolLM2-135M-Instruct", "SmolLM2-135M-Instruct.Q4_1.gguf");
        Path data = Golden.models().resolveSibling("data");
        assumeTrue(Files.isRegularFile(data.resolve("tasks.json")), data + " is not here");
        List<EvalTask> tasks = new EvalData(data).tasks(Optional.of("test_unseen"), List.of()).stream().filter(task -> task.metric() != Metric.PASS_AT_1).toList();
        try (Backend backend = Backend.open("java"); LanguageModel lm = LanguageModel.load(model, backend)) {
            assertEquals(QueryLengths.SUITE, QueryLengths.of(lm, tasks, (Column.Asked) new Columns(0, 1).withExamples(), 60));
        }
    }
}
