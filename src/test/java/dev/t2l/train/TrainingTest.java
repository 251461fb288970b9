package dev.t2l.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.Adapter;
import dev.t2l.LanguageModel;
import dev.t2l.TextToLora;
import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import dev.t2l.io.FormatException;
import dev.t2l.io.PeftAdapter;
import dev.t2l.io.SafeTensors;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** Whole runs at tiny size, on plain Java. */
class TrainingTest {
    @TempDir
    Path folder;

    private Path data;

    @BeforeEach
    void writeTasks() throws IOException {
        data = TinyTasks.write(folder.resolve("data"));
    }

    /** Notes of a run, and how often it was told what. */
    private static final class Follower implements TrainingListener {
        final List<String> notes = new ArrayList<>();
        final List<Progress> steps = new ArrayList<>();
        int validations;

        @Override
        public void note(String text) {
            notes.add(text);
        }

        @Override
        public void step(Progress progress) {
            steps.add(progress);
        }

        @Override
        public void validated(long step, double loss, boolean best) {
            validations++;
        }
    }

    private static Training.Result run(Map<String, Object> keys, boolean resume, TrainingListener listener) {
        try (Backend backend = Backend.open("java")) {
            return Training.run(TrainingConfig.of(keys), backend, resume, listener).getLast();
        }
    }

    private Map<String, Object> sft(String out) {
        return TinyTasks.sft(data, folder.resolve(out));
    }

    private static void assertSameTensors(Path a, Path b) throws IOException {
        assertArrayEquals(Files.readAllBytes(a), Files.readAllBytes(b), a + " and " + b);
    }

    @Test
    void aRunLeavesANetworkThatIsLoadedAndFollowsEveryStep() throws IOException {
        var follower = new Follower();
        Training.Result result = run(sft("run"), false, follower);
        assertEquals(12, follower.steps.size());
        assertEquals(3, follower.validations);
        assertTrue(follower.notes.stream().anyMatch(note -> note.contains("30 examples of 3 tasks") && note.contains("6 held out")), follower.notes.toString());
        assertTrue(follower.notes.getLast().startsWith("memory plan:"), follower.notes.toString());
        assertTrue(follower.steps.getLast().tokensPerSecond() > 0);
        try (Backend backend = Backend.open("java"); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend); TextToLora t2l = TextToLora.load(result.trained(), lm);
             Adapter adapter = t2l.generate("Write upper."); SafeTensors embeddings = SafeTensors.open(result.trained().resolve(Reconstruction.EMBEDDINGS))) {
            assertEquals(TinyTasks.NAMES, t2l.config().origin().trainTasks());
            assertTrue(adapter.weights().parameters() > 0);
            assertEquals(3, embeddings.weights().get("lower").rows());
        }
        assertTrue(Files.isRegularFile(result.best().orElseThrow().resolve("hypermod.safetensors")));
    }

    @Test
    void metricsHaveALineForEveryStepAndValidation() {
        Training.Result result = run(sft("run"), false, TrainingListener.NONE);
        List<JsonNode> lines = MetricsLog.read(result.trained().getParent());
        assertEquals(15, lines.size());
        assertEquals(0, lines.getFirst().get("rate").doubleValue(), "the warm-up begins with rate 0");
        for (JsonNode line : lines) {
            assertTrue(Double.isFinite(line.path(line.has("loss") ? "loss" : "validation_loss").asDouble(Double.NaN)), line.toString());
        }
        assertEquals(4, lines.stream().filter(line -> line.has("validation_loss")).findFirst().orElseThrow().get("step").intValue());
    }

    @Test
    void theSameSeedGivesTheSameBitsAndAnotherOneOthers() throws IOException {
        Path a = run(sft("a"), false, TrainingListener.NONE).trained();
        Path b = run(sft("b"), false, TrainingListener.NONE).trained();
        assertSameTensors(a.resolve("hypermod.safetensors"), b.resolve("hypermod.safetensors"));
        Map<String, Object> other = sft("c");
        other.put("seed", 43);
        Path c = run(other, false, TrainingListener.NONE).trained();
        assertFalse(Arrays.equals(Files.readAllBytes(a.resolve("hypermod.safetensors")), Files.readAllBytes(c.resolve("hypermod.safetensors"))));
    }

    /** Lengths of passes change the order of sums alone. */
    @Test
    void aStepInManyPassesHasTheSameLoss() {
        Map<String, Object> cut = sft("cut");
        cut.put("batch.tokens", 1);
        List<Double> losses = new ArrayList<>();
        for (Map<String, Object> keys : List.of(sft("whole"), cut)) {
            keys.putAll(Map.of("regularisation.neftune", 0, "adapter.dropout", 0, "steps", 3, "validation.every", 0, "optimiser.warmup", 0));
            losses.add(MetricsLog.read(run(keys, false, TrainingListener.NONE).trained().getParent()).getLast().get("loss").doubleValue());
        }
        assertEquals(losses.getFirst(), losses.getLast(), 1e-4);
    }

    @Test
    void aRunThatStoppedGoesOnToTheSameBits() throws IOException {
        Path whole = run(sft("whole"), false, TrainingListener.NONE).trained();
        Map<String, Object> keys = sft("stopped");
        var stop = new TrainingListener() {
            @Override
            public void step(Progress progress) {
                if (progress.step() == 8) {
                    throw new IllegalStateException("stopped");
                }
            }
        };
        assertThrows(IllegalStateException.class, () -> run(keys, false, stop));
        var follower = new Follower();
        Training.Result result = run(keys, true, follower);
        assertTrue(follower.notes.contains("goes on after step 6"), follower.notes.toString());
        assertEquals(7, follower.steps.getFirst().step());
        assertSameTensors(whole.resolve("hypermod.safetensors"), result.trained().resolve("hypermod.safetensors"));
        List<Long> steps = MetricsLog.read(folder.resolve("stopped")).stream().filter(line -> line.has("loss")).map(line -> line.get("step").longValue()).toList();
        assertEquals(LongStream.rangeClosed(1, 12).boxed().toList(), steps);
        assertSameTensors(whole.resolveSibling("best").resolve("hypermod.safetensors"), result.best().orElseThrow().resolve("hypermod.safetensors"));
    }

    @Test
    void aRunIsNotOverwrittenAndAnotherOneNotResumed() {
        run(sft("run"), false, TrainingListener.NONE);
        String again = assertThrows(IllegalArgumentException.class, () -> run(sft("run"), false, TrainingListener.NONE)).getMessage();
        assertTrue(again.contains("--resume"), again);
        Map<String, Object> other = sft("run");
        other.put("optimiser.rate", 0.02);
        String changed = assertThrows(IllegalArgumentException.class, () -> run(other, true, TrainingListener.NONE)).getMessage();
        assertTrue(changed.contains("another configuration: optimiser"), changed);
        Map<String, Object> more = sft("run");
        more.put("checkpoint.every", 5);
        run(more, true, TrainingListener.NONE); // what is learned does not depend on it
    }

    @Test
    void aRunThatCouldNotBeginLeavesItsFolderToTheNext() {
        Map<String, Object> mistaken = sft("run");
        mistaken.put("network.offsets", folder.resolve("nowhere"));
        assertThrows(RuntimeException.class, () -> run(mistaken, false, TrainingListener.NONE));
        assertEquals(12, run(sft("run"), false, TrainingListener.NONE).steps());
    }

    @Test
    void aFolderOfSomethingElseAndADamagedCheckpointAreRefused() throws IOException {
        Files.createDirectories(folder.resolve("mine"));
        Files.writeString(folder.resolve("mine/notes.txt"), "mine");
        String foreign = assertThrows(FormatException.class, () -> run(sft("mine"), true, TrainingListener.NONE)).getMessage();
        assertTrue(foreign.contains("notes.txt"), foreign);
        run(sft("run"), false, TrainingListener.NONE);
        Path state = folder.resolve("run/checkpoints/step-00000012/state.safetensors");
        byte[] bytes = Files.readAllBytes(state);
        bytes[bytes.length - 1] ^= 1;
        Files.write(state, bytes);
        String damaged = assertThrows(FormatException.class, () -> run(sft("run"), true, TrainingListener.NONE)).getMessage();
        assertTrue(damaged.contains("step-00000012") && damaged.contains("HINT"), damaged);
    }

    @Test
    void aLossThatIsNoNumberStopsWithStepAndTensorAndLeavesTheCheckpoint() throws IOException {
        Map<String, Object> keys = sft("run");
        keys.put("optimiser.rate", 1e30);
        keys.put("checkpoint.every", 1);
        String message = assertThrows(TrainingException.class, () -> run(keys, false, TrainingListener.NONE)).getMessage();
        assertTrue(message.matches("step \\d+: the gradient of [\\w.]+ is not finite.*"), message);
        assertTrue(message.contains("the last checkpoint is of step"), message);
        long last = Long.parseLong(message.replaceFirst(".*checkpoint is of step (\\d+).*", "$1"));
        Checkpoint kept = Checkpoint.read(folder.resolve("run/checkpoints").resolve("step-%08d".formatted(last)));
        assertEquals(last, kept.steps());
    }

    @Test
    void activationsMayWaitInBf16() {
        Map<String, Object> keys = sft("bf16");
        keys.put("precision", "bf16");
        List<Double> losses = new ArrayList<>();
        for (Map<String, Object> each : List.of(sft("f32"), keys)) {
            losses.add(MetricsLog.read(run(each, false, TrainingListener.NONE).trained().getParent()).getLast().get("validation_loss").doubleValue());
        }
        assertEquals(losses.getFirst(), losses.getLast(), 0.05);
    }

    @Test
    void adaptersAreTrainedForAllTasksOrForEach() {
        Map<String, Object> keys = sft("all");
        keys.put("kind", "lora");
        Path all = run(keys, false, TrainingListener.NONE).trained();
        assertEquals(2, PeftAdapter.read(all).weights().pairs().values().iterator().next().rank());
        keys.put("adapter.of", "task");
        keys.put("out", folder.resolve("each"));
        run(keys, false, TrainingListener.NONE);
        for (String name : TinyTasks.NAMES) {
            assertTrue(Files.isDirectory(folder.resolve("each").resolve(name).resolve("final")), name);
        }
    }

    @Test
    void oraclesBecomeANetworkThatGivesThem() {
        Map<String, Object> keys = sft("oracles");
        keys.put("kind", "lora");
        keys.put("adapter.of", "task");
        run(keys, false, TrainingListener.NONE);
        Map<String, Object> recon = sft("recon");
        recon.put("kind", "recon");
        recon.put("reconstruction.oracles", folder.resolve("oracles"));
        recon.put("steps", 60);
        recon.put("batch.tasks", 3);
        recon.put("validation.every", 20);
        Training.Result result = run(recon, false, TrainingListener.NONE);
        List<JsonNode> lines = MetricsLog.read(folder.resolve("recon")).stream().filter(line -> line.has("loss")).toList();
        assertTrue(lines.getLast().get("loss").doubleValue() < lines.getFirst().get("loss").doubleValue());
        assertTrue(Files.isRegularFile(result.trained().resolve("hypermod.safetensors")));
    }

    @Test
    void tasksMayBeNumberedAndANetworkMayBeginOnAMultiTaskLora() {
        Map<String, Object> lora = sft("mt");
        lora.put("kind", "lora");
        Path mt = run(lora, false, TrainingListener.NONE).trained();
        Map<String, Object> keys = sft("on-top");
        keys.put("condition", "one_hot");
        keys.put("network.offsets", mt);
        Path trained = run(keys, false, TrainingListener.NONE).trained();
        try (SafeTensors tensors = SafeTensors.open(trained.resolve("hypermod.safetensors"))) {
            assertFalse(tensors.weights().has("heads.q_proj.bias"));
            float[] offset = tensors.weights().get("AB_offset.A.q_proj").toFloats();
            float[] wanted = PeftAdapter.read(mt).weights().pairs().values().iterator().next().a().toFloats();
            assertArrayEquals(wanted, Arrays.copyOf(offset, wanted.length));
            assertEquals(3, tensors.weights().get("task_encoder.mlp.0.weight").cols());
        }
    }

    /** A sample's adapter is made of its prompt: descriptions change nothing, and the network says what it reads. */
    @Test
    void anAdapterMayBeMadeOfEachInput() throws IOException {
        Map<String, Object> keys = sft("inputs");
        keys.put("condition", "input");
        Path trained = run(keys, false, TrainingListener.NONE).trained();
        Path others = TinyTasks.write(folder.resolve("others"), "Tell %s.");
        Map<String, Object> described = TinyTasks.sft(others, folder.resolve("described"));
        described.put("condition", "input");
        assertSameTensors(trained.resolve("hypermod.safetensors"), run(described, false, TrainingListener.NONE).trained().resolve("hypermod.safetensors"));
        Map<String, Object> byTask = sft("tasks");
        assertFalse(Arrays.equals(Files.readAllBytes(trained.resolve("hypermod.safetensors")),
                Files.readAllBytes(run(byTask, false, TrainingListener.NONE).trained().resolve("hypermod.safetensors"))));
        assertFalse(Files.exists(trained.resolve(Reconstruction.EMBEDDINGS)));
        String args = Files.readString(trained.resolve("args.yaml"));
        assertTrue(args.contains("use_inp_as_desc: true") && args.contains("use_per_task_emb: false"), args);
        try (Backend backend = Backend.open("java"); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend); TextToLora t2l = TextToLora.load(trained, lm);
             Adapter adapter = t2l.generateForInput("one 3"); Adapter other = t2l.generateForInput("one 4")) {
            assertFalse(Arrays.equals(first(adapter), first(other)));
            for (Executable wrong : List.<Executable>of(() -> t2l.generate("Write upper."), () -> t2l.adapt("Write upper."))) {
                String message = assertThrows(IllegalStateException.class, wrong).getMessage();
                assertTrue(message.contains("generateForInput"), message);
            }
        }
        try (Backend backend = Backend.open("java"); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend); TextToLora t2l = TextToLora.load(Tiny.T2L, lm)) {
            String message = assertThrows(IllegalStateException.class, () -> t2l.generateForInput("one 3")).getMessage();
            assertTrue(message.contains("descriptions"), message);
        }
    }

    private static float[] first(Adapter adapter) {
        return adapter.onHost(Arena.ofAuto()).pairs().values().iterator().next().a().toFloats();
    }

    @Test
    void anInputMustNotBeBlank() throws IOException {
        Map<String, Object> keys = sft("blank");
        keys.put("condition", "input");
        keys.put("template", " ");
        String message = assertThrows(IllegalArgumentException.class, () -> run(keys, false, TrainingListener.NONE)).getMessage();
        assertTrue(message.contains("'upper'") && message.contains("HINT"), message);
    }

    @Test
    void theBaseMayBeConvertedToBf16() throws IOException {
        Map<String, Object> converted = sft("bf16");
        converted.put("base_dtype", "bf16");
        run(converted, false, TrainingListener.NONE);
        run(sft("file"), false, TrainingListener.NONE);
        List<JsonNode> a = MetricsLog.read(folder.resolve("bf16"));
        List<JsonNode> b = MetricsLog.read(folder.resolve("file"));
        assertEquals(b.getFirst().get("loss").doubleValue(), a.getFirst().get("loss").doubleValue(), 0.02);
        assertNotEquals(b.getFirst().get("loss").doubleValue(), a.getFirst().get("loss").doubleValue());
    }
}
