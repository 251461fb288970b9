package dev.t2l.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PeftAdapterTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String Q0 = "base_model.model.model.layers.0.self_attn.q_proj.lora_";

    @TempDir
    Path folder;

    private static Pair pair(int rank, float scale) {
        float[] a = new float[rank * 4];
        float[] b = new float[6 * rank];
        for (int i = 0; i < a.length; i++) {
            a[i] = i - 3.5f;
        }
        for (int i = 0; i < b.length; i++) {
            b[i] = i * 0.25f;
        }
        return new Pair(Tensor.ofFloats(a, rank, 4), Tensor.ofFloats(b, 6, rank), scale);
    }

    private void writeSimple() {
        PeftAdapter.write(folder, new LoraWeights(Map.of(new Site(0, Projection.Q), pair(2, 8))), "base");
    }

    private void editConfig(Consumer<ObjectNode> edit) {
        try {
            Path file = folder.resolve(PeftConfig.FILE);
            var json = (ObjectNode) JSON.readTree(file.toFile());
            edit.accept(json);
            Files.writeString(file, json.toString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String refusal() {
        return assertThrows(FormatException.class, () -> PeftAdapter.read(folder)).getMessage();
    }

    @Test
    void ranksAndScalesThatDifferBySiteComeBackToTheBit() {
        Map<Site, Pair> pairs = new LinkedHashMap<>();
        pairs.put(new Site(0, Projection.Q), pair(2, (float) (16 / Math.sqrt(2))));
        pairs.put(new Site(0, Projection.V), pair(3, 1.7f));
        pairs.put(new Site(1, Projection.Q), pair(2, (float) (16 / Math.sqrt(2))));
        pairs.put(new Site(1, Projection.DOWN), pair(1, 0));
        pairs.put(new Site(11, Projection.Q), pair(5, -0.3f));
        var weights = new LoraWeights(pairs);
        for (boolean rsLora : new boolean[] {true, false}) {
            PeftAdapter.write(folder, weights, PeftConfigs.describing(weights, null, rsLora), DType.F32);
            PeftAdapterGoldenTest.assertSame(weights, PeftAdapter.read(folder).weights());
        }
        assertEquals(16, PeftConfigs.describing(weights, null, true).scaling().alpha());
    }

    @Test
    void halfPrecisionIsWritten() {
        var weights = new LoraWeights(Map.of(new Site(0, Projection.Q), pair(2, 8)));
        for (DType dtype : List.of(DType.F16, DType.BF16)) {
            PeftAdapter.write(folder, weights, PeftConfigs.describing(weights, "b", false), dtype);
            try (var file = SafeTensors.open(folder.resolve(PeftAdapter.FILE))) {
                assertEquals(dtype, file.weights().get(Q0 + "A.weight").dtype());
                assertEquals("pt", file.metadata().get("format"));
            }
            PeftAdapterGoldenTest.assertSame(weights, PeftAdapter.read(folder).weights());
        }
    }

    @Test
    void aConfigurationThatDoesNotFitIsNotWritten() {
        var weights = new LoraWeights(Map.of(new Site(0, Projection.Q), pair(2, 8)));
        var wrong = new PeftConfig("b", new PeftScaling(2, 4, false), PeftTargets.ofModules(List.of("q_proj")), 0, null);
        assertTrue(assertThrows(IllegalArgumentException.class, () -> PeftAdapter.write(folder, weights, wrong, DType.F32)).getMessage().contains("scale 8.0"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = ';', value = {
        "use_dora; true", "bias; \"all\"", "modules_to_save; [\"lm_head\"]", "peft_type; \"LOHA\"", "r; 0", "r; 2.5", "lora_alpha; \"x\"",
        "init_lora_weights; \"pissa\"", "target_modules; null", "rank_pattern; [1]", "alpha_pattern; {\"(\": 3}", "use_rslora; 1",
        "layer_replication; [[0, 1]]", "lora_bias; true", "alora_invocation_tokens; [1]"})
    void whatIsNotSupportedIsRefusedByName(String key, String value) throws IOException {
        writeSimple();
        var node = JSON.readTree(value);
        editConfig(json -> json.set(key, node));
        String message = refusal();
        assertTrue(message.contains(PeftConfig.FILE) && message.contains(key), message);
    }

    @ParameterizedTest
    @CsvSource({"A, model.embed_tokens.lora_embedding_A", "A, model.layers.0.self_attn.qkv_proj.lora_A.weight", "A, model.layers.0.mlp.q_proj.lora_A.weight",
        "A, model.layers.0.self_attn.v_proj.lora_A.weight", "A, model.layers.0.self_attn.q_proj.lora_magnitude_vector", "A, x"})
    void aTensorThatHasNoPlaceIsRefused(String matrix, String name) {
        writeSimple();
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put(Q0 + "A.weight", pair(2, 1).a());
        tensors.put(Q0 + "B.weight", pair(2, 1).b());
        tensors.put("base_model.model." + name, pair(2, 1).a());
        SafeTensors.write(folder.resolve(PeftAdapter.FILE), tensors, Map.of());
        assertTrue(refusal().contains(name), refusal());
    }

    @Test
    void brokenPairsAreRefused() {
        writeSimple();
        Pair good = pair(2, 1);
        SafeTensors.write(folder.resolve(PeftAdapter.FILE), Map.of(Q0 + "A.weight", good.a()), Map.of());
        assertTrue(refusal().contains("no lora_B"), refusal());
        SafeTensors.write(folder.resolve(PeftAdapter.FILE), Map.of(Q0 + "B.weight", good.b()), Map.of());
        assertTrue(refusal().contains("no lora_A"), refusal());
        SafeTensors.write(folder.resolve(PeftAdapter.FILE), Map.of(Q0 + "A.weight", pair(3, 1).a(), Q0 + "B.weight", pair(3, 1).b()), Map.of());
        assertTrue(refusal().contains("rank 2"), refusal());
        good.a().setFloat(3, Float.NaN);
        SafeTensors.write(folder.resolve(PeftAdapter.FILE), Map.of(Q0 + "A.weight", good.a(), Q0 + "B.weight", good.b()), Map.of());
        assertTrue(refusal().contains("value 3 is NaN"), refusal());
        SafeTensors.write(folder.resolve(PeftAdapter.FILE), Map.of(), Map.of());
        assertTrue(refusal().contains("no LoRA pair"), refusal());
    }

    @Test
    void namesWithDefaultAreRead() {
        writeSimple();
        SafeTensors.write(folder.resolve(PeftAdapter.FILE), Map.of(Q0 + "A.default.weight", pair(2, 1).a(), Q0 + "B.default.weight", pair(2, 1).b()), Map.of());
        assertEquals(8, PeftAdapter.read(folder).weights().at(0, Projection.Q).scale());
    }

    @Test
    void anExpressionThatWouldRunForEverIsRefused() {
        writeSimple();
        editConfig(json -> json.put("target_modules", "(([a-z_.0-9]+)+)+!"));
        assertTimeoutPreemptively(Duration.ofSeconds(10), () -> assertTrue(refusal().contains("too long"), refusal()));
    }

    @Test
    void targetsFollowPeftsRules() {
        String module = "model.layers.3.self_attn.q_proj";
        assertTrue(targets("{\"target_modules\": [\"q_proj\"]}").matches(module));
        assertFalse(targets("{\"target_modules\": [\"_proj\"]}").matches(module));
        assertTrue(targets("{\"target_modules\": [\"self_attn.q_proj\"]}").matches(module));
        assertTrue(targets("{\"target_modules\": \"all-linear\"}").matches(module));
        assertTrue(targets("{\"target_modules\": \".*\\\\.(?P<x>q)_proj\"}").matches(module));
        assertFalse(targets("{\"target_modules\": \"q_proj\"}").matches(module));
        assertTrue(targets("{\"target_modules\": [\"q_proj\"], \"layers_to_transform\": 3}").matches(module));
        assertFalse(targets("{\"target_modules\": [\"q_proj\"], \"layers_to_transform\": [1, 13]}").matches(module));
        assertTrue(targets("{\"target_modules\": [\"q_proj\"], \"layers_to_transform\": [3], \"layers_pattern\": \"layers\"}").matches(module));
        assertFalse(targets("{\"target_modules\": [\"q_proj\"], \"layers_to_transform\": [3], \"layers_pattern\": [\"h\"]}").matches(module));
        assertFalse(targets("{\"target_modules\": [\"q_proj\"], \"exclude_modules\": [\"layers.3.self_attn.q_proj\"]}").matches(module));
        assertFalse(targets("{\"target_modules\": [\"q_proj\"], \"exclude_modules\": \".*3.*\"}").matches(module));
    }

    private PeftTargets targets(String json) {
        try {
            Path file = folder.resolve(PeftConfig.FILE);
            var node = (ObjectNode) JSON.readTree(json);
            node.put("peft_type", "LORA").put("r", 2).put("lora_alpha", 3);
            Files.writeString(file, node.toString());
            return PeftConfig.read(file).targets();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void theFirstMatchingPatternWins() {
        var ranks = new LinkedHashMap<String, Integer>();
        ranks.put("layers.1.self_attn.q_proj", 2);
        ranks.put("q_proj", 4);
        var scaling = new PeftScaling(8, 16, false, ranks, Map.of("model\\.layers\\.[01]\\..*", 1.0));
        assertEquals(2, scaling.rankOf("model.layers.1.self_attn.q_proj"));
        assertEquals(4, scaling.rankOf("model.layers.11.self_attn.q_proj"));
        assertEquals(8, scaling.rankOf("model.layers.1.self_attn.v_proj"));
        assertEquals(1 / 2f, scaling.scaleOf("model.layers.1.self_attn.q_proj"));
        assertEquals(16 / 8f, scaling.scaleOf("model.layers.2.self_attn.v_proj"));
    }
}
