package dev.t2l.model;

import static dev.t2l.Golden.assertClose;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.backend.Backend;
import dev.t2l.io.FormatException;
import dev.t2l.io.Gguf;
import dev.t2l.ops.LoraBatch;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Quantise;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Types, warnings, refusals, and what the golden models do not have. */
class GgufExportTest {
    private static final int[][] IDS = {{1, 7, 3, 60, 22, 5}, {9, 9, 41, 2, 30, 63}};
    private static final String GEMMA = ", \"attn_logit_softcapping\": 5.0, \"final_logit_softcapping\": 3.0, \"sliding_window\": 4";

    @TempDir
    Path folder;

    private final List<String> warnings = new ArrayList<>();
    private final Logger log = Logger.getLogger("dev.t2l");
    private final Handler recorder = new Handler() {
        @Override
        public void publish(LogRecord record) {
            warnings.add(java.text.MessageFormat.format(record.getMessage(), record.getParameters()));
        }

        @Override
        public void flush() {
        }

        @Override
        public void close() {
        }
    };

    @BeforeEach
    void record() {
        log.addHandler(recorder);
    }

    @AfterEach
    void stop() {
        log.removeHandler(recorder);
    }

    private Path export(Path source, FileType type, LoraWeights... adapters) {
        Path target = folder.resolve("out" + System.nanoTime() + ".gguf");
        List<LoraBatch.Entry> entries = new ArrayList<>();
        for (LoraWeights adapter : adapters) {
            entries.add(new LoraBatch.Entry(adapter, LoraBatch.Weight.constant(0.5f)));
        }
        try (var export = GgufExport.open(source, entries)) {
            export.as(type).write(target);
        }
        return target;
    }

    private static Map<String, DType> types(Path gguf) {
        Map<String, DType> types = new LinkedHashMap<>();
        try (Gguf file = Gguf.open(gguf)) {
            file.weights().tensors().forEach((name, tensor) -> types.put(name, tensor.dtype()));
        }
        return types;
    }

    private static float[] logits(Path model, LoraWeights adapter) {
        try (Backend backend = Backend.open("java"); DecoderFile file = DecoderFile.open(model, backend)) {
            List<LoraBatch.Entry> adapters = adapter == null ? null : List.of(new LoraBatch.Entry(adapter, LoraBatch.Weight.constant(1)));
            return Teacher.forced(new Decoder(backend, file.config(), file.weights()), IDS, adapters).logits();
        }
    }

    @Test
    void matricesAreQuantisedAndOthersAreNot() {
        Path written = export(TinyDecoder.write(folder.resolve("m"), "llama", ""), FileType.Q4_0);
        Map<String, DType> types = types(written);
        assertEquals(DType.Q8_0, types.get("token_embd.weight"), "makes the logits");
        assertEquals(DType.Q4_0, types.get("blk.0.attn_q.weight"));
        assertEquals(DType.F16, types.get("blk.1.ffn_down.weight"), "rows of 48");
        assertEquals(DType.F32, types.get("blk.0.attn_norm.weight"));
        assertTrue(!types.containsKey("output.weight"), "the model is tied");
        List<String> odd = warnings.stream().filter(w -> w.contains("no whole number of blocks")).toList();
        assertEquals(1, odd.size(), warnings.toString());
        assertTrue(odd.getFirst().contains("2 of 20 tensors are written as F16") && odd.getFirst().contains("blk.0.ffn_down.weight"), odd.getFirst());
        try (Gguf file = Gguf.open(written)) {
            assertEquals(2, file.integer("general.file_type"));
            assertEquals(2, file.integer("general.quantization_version"));
        }
    }

    @Test
    void someMatricesMayHaveAnotherType() {
        Path model = TinyDecoder.write(folder.resolve("m"), "llama", "");
        Path written = folder.resolve("mixed.gguf");
        List<TensorType> exceptions = List.of(new TensorType(Pattern.compile("attn_v"), FileType.Q5_1), new TensorType(Pattern.compile("attn"), FileType.Q5_0));
        try (var export = GgufExport.open(model)) {
            export.as(FileType.Q4_0, exceptions).write(written);
            var unknown = List.of(new TensorType(Pattern.compile("attn_x"), FileType.Q8_0));
            String message = assertThrows(IllegalArgumentException.class, () -> export.as(FileType.Q4_0, unknown)).getMessage();
            assertTrue(message.contains("attn_x") && message.contains("blk.*.attn_q.weight"), message);
        }
        Map<String, DType> types = types(written);
        assertEquals(DType.Q5_1, types.get("blk.0.attn_v.weight"));
        assertEquals(DType.Q5_0, types.get("blk.1.attn_q.weight"));
        assertEquals(DType.F32, types.get("blk.1.attn_norm.weight"));
        assertEquals(DType.Q4_0, types.get("blk.0.ffn_up.weight"));
    }

    @Test
    void aQuantisedTensorIsQuantisedAgainOrCopied() {
        Path model = TinyDecoder.write(folder.resolve("m"), "llama", "");
        Path eight = export(model, FileType.Q8_0);
        try (Gguf q8 = Gguf.open(eight); Gguf again = Gguf.open(export(eight, FileType.Q8_0)); Gguf q4 = Gguf.open(export(eight, FileType.Q4_1))) {
            for (Map.Entry<String, Tensor> e : q8.weights().tensors().entrySet()) {
                assertArrayEquals(bytes(e.getValue()), bytes(again.weights().get(e.getKey())), e.getKey());
                Tensor four = q4.weights().get(e.getKey());
                Tensor want = four.dtype() == e.getValue().dtype() ? e.getValue() : Quantise.tensor(e.getValue(), four.dtype());
                assertArrayEquals(bytes(want), bytes(four), e.getKey());
            }
            assertEquals(DType.Q4_1, q4.weights().get("blk.0.attn_v.weight").dtype());
        }
    }

    private static byte[] bytes(Tensor tensor) {
        return tensor.data().asSlice(0, tensor.bytes()).toArray(ValueLayout.JAVA_BYTE);
    }

    /** In four bits an adapter would drown. */
    @Test
    void aQuantisedMatrixWithAnAdapterAddedBecomesEightBits() {
        Path four = export(TinyDecoder.write(folder.resolve("m"), "llama", ""), FileType.Q4_0);
        Map<String, DType> before = types(four);
        Map<String, DType> merged = types(export(four, null, TinyDecoder.adapter()));
        before.forEach((name, type) -> assertEquals(name.matches("blk.*attn_[qv].weight") ? DType.Q8_0 : type, merged.get(name), name));
        Map<String, DType> asked = types(export(four, FileType.Q4_0, TinyDecoder.adapter()));
        assertEquals(before, asked);
    }

    @Test
    void anAdapterThatDoesNotFitIsRefused() {
        Path model = TinyDecoder.write(folder.resolve("m"), "llama", "");
        Path gguf = export(model, null);
        var alien = new LoraWeights(Map.of(new LoraWeights.Site(2, dev.t2l.tensor.Projection.Q), TinyDecoder.adapter().at(0, dev.t2l.tensor.Projection.Q)));
        for (Path base : List.of(model, gguf)) {
            String message = assertThrows(IllegalArgumentException.class, () -> GgufExport.open(base, List.of(new LoraBatch.Entry(alien, null)))).getMessage();
            assertTrue(message.contains("layers.2.self_attn.q_proj"), message);
        }
    }

    @Test
    void linearRopeScalingIsSaidByKeys() {
        Path model = TinyDecoder.write(folder.resolve("m"), "qwen2", ", \"rope_theta\": 5000.0, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}");
        Path written = export(model, FileType.F32);
        assertArrayEquals(DecoderFile.config(model).rope().invFreq(), DecoderFile.config(written).rope().invFreq(), 1e-7f);
        assertClose("logits", logits(model, null), logits(written, null), 1e-5, 1e-5);
        try (Gguf file = Gguf.open(written)) {
            assertEquals("linear", file.string("qwen2.rope.scaling.type"));
            assertEquals(5000, file.real("qwen2.rope.freq_base"));
        }
    }

    /** GGUF has no key for Gemma's query_pre_attn_scalar; where it is not the head size, q holds it, and so do adapters of q. */
    @Test
    void gemmasOwnScoreScaleIsFoldedIntoQ() {
        Path model = TinyDecoder.write(folder.resolve("m"), "gemma2", GEMMA + ", \"query_pre_attn_scalar\": 9");
        Path written = export(model, FileType.F32);
        assertTrue(warnings.stream().anyMatch(w -> w.contains("multiplied by 1.333")), warnings.toString());
        assertClose("logits", logits(model, null), logits(written, null), 1e-5, 1e-5);
        Path adapter = folder.resolve("adapter.gguf");
        GgufAdapters.write(adapter, TinyDecoder.adapter(), DecoderFile.config(model), "a", DType.F32);
        LoraWeights folded = GgufAdapters.read(adapter, DecoderFile.config(written));
        assertClose("adapted", logits(model, TinyDecoder.adapter()), logits(written, folded), 1e-5, 1e-5);
        LoraWeights original = GgufAdapters.read(adapter, DecoderFile.config(model));
        assertClose("read for the folder", logits(model, TinyDecoder.adapter()), logits(model, original), 1e-5, 1e-5);
    }

    @Test
    void anAdapterOfAnotherArchitectureIsRefused() {
        DecoderConfig llama = DecoderFile.config(TinyDecoder.write(folder.resolve("l"), "mistral", ""));
        DecoderConfig qwen = DecoderFile.config(TinyDecoder.write(folder.resolve("q"), "qwen2", ""));
        Path adapter = folder.resolve("adapter.gguf");
        GgufAdapters.write(adapter, TinyDecoder.adapter(), llama, "a", DType.F32);
        String message = assertThrows(FormatException.class, () -> GgufAdapters.read(adapter, qwen)).getMessage();
        assertTrue(message.contains("the base is a qwen2, the adapter was made for a llama"), message);
    }

    @Test
    void whatGgufCannotSayIsRefused() throws Exception {
        refused("hidden_act", "llama", ", \"hidden_act\": \"relu\"");
        refused("sliding_window", "qwen2", ", \"use_sliding_window\": true, \"sliding_window\": 4, \"max_window_layers\": 1");
        refused("attn_logit_softcapping", "gemma2", ", \"final_logit_softcapping\": 3.0, \"sliding_window\": 4");
        refused("sliding_window", "gemma2", GEMMA + ", \"layer_types\": [\"full_attention\", \"sliding_attention\"]");
        refused("rope_scaling", "qwen2", ", \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0,"
                + " \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 32}");
        Path gte = Files.createDirectory(folder.resolve("gte"));
        Files.writeString(gte.resolve("config.json"), "{\"model_type\": \"new\"}");
        String message = assertThrows(FormatException.class, () -> GgufExport.open(gte)).getMessage();
        assertTrue(message.contains("only 'bert'"), message);
    }

    private void refused(String key, String type, String more) {
        Path model = TinyDecoder.write(folder.resolve("m"), type, more);
        String message = assertThrows(FormatException.class, () -> GgufExport.open(model)).getMessage();
        assertTrue(message.contains(key), message);
    }

    @Test
    void filesThatAreNoWholeModelAreRefused() {
        Path model = TinyDecoder.write(folder.resolve("m"), "llama", "");
        Path adapter = folder.resolve("adapter.gguf");
        GgufAdapters.write(adapter, TinyDecoder.adapter(), DecoderFile.config(model), "a", DType.F32);
        assertTrue(assertThrows(FormatException.class, () -> GgufExport.open(adapter)).getMessage().contains("general.type"));
        Path part = folder.resolve("part.gguf");
        Gguf.write(part, Map.of("general.architecture", "llama", "split.count", 3), Map.of());
        assertTrue(assertThrows(FormatException.class, () -> GgufExport.open(part)).getMessage().contains("split.count"));
    }
}
