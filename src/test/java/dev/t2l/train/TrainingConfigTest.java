package dev.t2l.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.hyper.HyperConfig.Condition;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.io.FormatException;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Projection;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class TrainingConfigTest {
    private static final String LEAST = "base: model\ndata: tasks\nsteps: 10\n";

    @TempDir
    Path folder;

    private String file(String text) throws IOException {
        return Files.writeString(folder.resolve("mine.yaml"), text).toString();
    }

    private TrainingConfig load(String text, String... changes) throws IOException {
        return TrainingConfig.load(file(text), List.of(changes));
    }

    @Test
    void whatIsNotSaidHasThePapersValue() throws IOException {
        TrainingConfig config = load(LEAST);
        assertEquals(TrainingConfig.Kind.SFT, config.kind());
        assertEquals(Optional.empty(), config.models().baseDtype());
        assertEquals(Optional.of(DType.BF16), load("base_dtype: bf16\n" + LEAST).models().baseDtype());
        assertEquals(Condition.DESCRIPTION, config.models().condition());
        assertEquals(8, config.adapter().rank());
        assertTrue(config.adapter().rslora());
        assertEquals(List.of(Projection.Q, Projection.V), config.adapter().targets());
        assertEquals(Variant.L, config.network().variant());
        assertEquals(512, config.text().maxTokens());
        assertEquals(2.5e-5, config.optimiser().rate());
        assertEquals(0.2, config.optimiser().warmup());
        assertEquals(0.1, config.regularisation().smoothing());
        assertEquals(5, config.regularisation().neftune());
        assertEquals(Path.of("runs/mine"), config.run().out());
        assertEquals(1e-3, load("kind: recon\nreconstruction: {oracles: x}\n" + LEAST).optimiser().rate());
    }

    @ParameterizedTest
    @MethodSource("dev.t2l.train.Recipes#names")
    void recipesAreWhole(String name) {
        TrainingConfig config = TrainingConfig.load(name, List.of());
        assertEquals(Path.of("runs", name), config.run().out());
        assertEquals(config.resolved(), TrainingConfig.of(config.resolved()).resolved(), "what a run keeps describes the same run");
    }

    @Test
    void theReadmesExampleIsRead() throws IOException {
        Matcher example = Pattern.compile("```yaml\\n(kind: sft\\n.*?)```", Pattern.DOTALL).matcher(Files.readString(Path.of("README.md")));
        assertTrue(example.find());
        var data = (TaskSource.Inline) load(example.group(1)).data().source();
        assertEquals(List.of("Name the capital.", "Which city governs this country?"), data.tasks().getFirst().texts("descriptions", List.of()));
    }

    @Test
    void theSmolLm2RecipeIsTheRunInItsModelsReadme() {
        TrainingConfig config = TrainingConfig.load("smollm2-sft", List.of());
        assertEquals(1828, config.budget().steps(95, 1));
        assertEquals(32, config.batch().tasks() * config.batch().points());
        assertEquals(TrainingConfig.Sampling.UNIFORM, config.batch().sampling());
        assertEquals(312, config.text().maxPrompt());
        assertEquals(128, config.text().maxResponse());
        assertEquals(0, config.regularisation().neftune());
        assertEquals(0.05, config.optimiser().warmup());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "optimizer: {rate: 1} | line 4, key 'optimizer': no such key; HINT: did you mean 'optimiser'?",
        "batch: {task: 1} | line 4, key 'batch.task': no such key; HINT: did you mean 'tasks'?",
        "batch: {tasks: no} | line 4, key 'batch.tasks': wanted an integer of at least 1, found 'false'",
        "batch: {tasks: 0} | line 4, key 'batch.tasks': wanted an integer of at least 1, found '0'",
        "adapter: {dropout: 1} | line 4, key 'adapter.dropout': wanted a number below 1, found 1",
        "adapter: {targets: [q]} | line 4, key 'adapter.targets': wanted some of",
        "network: {variant: XL} | line 4, key 'network.variant': wanted one of l, m, s, l_by_rank, found 'XL'",
        "network: {latent: 6} | line 4, key 'network.latent': wanted a multiple of 4",
        "epochs: 3 | key 'steps': wanted one of steps, epochs and steps_per_task, found 2 of them",
        "steps: 3 | line 4: found duplicate key steps",
        "tasks: [] | line 4, key 'tasks': wanted at least one name of a task, found an empty list",
        "optimiser: {beta1: 1} | line 4, key 'optimiser.beta1': wanted a number below 1, found 1",
        "optimiser: {eps: 0} | line 4, key 'optimiser.eps': wanted a number",
        "tasks: [1] | line 4, key 'tasks[0]': wanted text, found '1'; HINT: quote",
        "base_dtype: f16 | line 4, key 'base_dtype': wanted one of file, bf16, found 'f16'",
        "condition: inputs | line 4, key 'condition': wanted one of description, input, one_hot, found 'inputs'",
        "loss: l2 | line 4, key 'loss': wanted one of l1, mse, found 'l2'",
        "network: [ | line"})
    void mistakesAreNamedWithTheirLine(String mistake, String complaint) throws IOException {
        String path = file(LEAST + mistake + "\n");
        String message = assertThrows(FormatException.class, () -> TrainingConfig.load(path, List.of())).getMessage();
        assertTrue(message.startsWith(path + ": ") && message.contains(complaint.strip()), message);
    }

    @Test
    void reconstructionReadsDescriptions() throws IOException {
        String path = file("kind: recon\nreconstruction: {oracles: x}\ncondition: input\n" + LEAST);
        String message = assertThrows(FormatException.class, () -> TrainingConfig.load(path, List.of())).getMessage();
        assertTrue(message.contains("line 3, key 'condition': is input; reconstruction reads descriptions"), message);
    }

    @Test
    void offsetsAreOfFineTuning() throws IOException {
        for (String kind : List.of("kind: lora\n", "kind: recon\nreconstruction: {oracles: x}\n")) {
            String path = file(kind + LEAST + "network: {offsets: x}\n");
            String message = assertThrows(FormatException.class, () -> TrainingConfig.load(path, List.of())).getMessage();
            assertTrue(message.contains("key 'network.offsets': are of fine-tuning"), message);
        }
    }

    @Test
    void whatIsMissingIsNamed() throws IOException {
        for (String key : List.of("base", "data", "steps")) {
            String path = file(LEAST.replaceFirst("(?m)^" + key + ".*\\n", ""));
            String message = assertThrows(FormatException.class, () -> TrainingConfig.load(path, List.of())).getMessage();
            assertTrue(message.contains("key '" + key + "'"), message);
        }
        String none = assertThrows(FormatException.class, () -> TrainingConfig.load("smolm2-sft", List.of())).getMessage();
        assertTrue(none.contains("smollm2-sft"), none);
    }

    @Test
    void keysAreChangedFromTheCommandLine() throws IOException {
        TrainingConfig config = load(LEAST, "optimiser.rate=1e-4", "adapter.targets=[k_proj]", "steps=null", "steps_per_task=7", "seed=5");
        assertEquals(1e-4, config.optimiser().rate());
        assertEquals(List.of(Projection.K), config.adapter().targets());
        assertEquals(7 * 3, config.budget().steps(3, 1));
        assertEquals(5, config.seed());
        assertThrows(IllegalArgumentException.class, () -> load(LEAST, "seed"));
    }

    @Test
    void theBudgetCountsStepsEpochsOrTasks() {
        Map<String, Object> keys = Map.of("base", "model", "data", "tasks");
        for (var e : Map.of("steps", 5L, "epochs", 5 * 4L, "steps_per_task", 5 * 30L).entrySet()) {
            var all = new HashMap<>(keys);
            all.put(e.getKey(), 5);
            assertEquals(e.getValue(), TrainingConfig.of(all).budget().steps(30, 4), e.getKey());
        }
    }
}
