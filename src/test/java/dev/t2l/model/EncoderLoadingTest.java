package dev.t2l.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.Golden;
import dev.t2l.backend.Backend;
import dev.t2l.io.FormatException;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Encoders that are not what their configuration says, or of a kind that would come out wrong, are refused by name. */
class EncoderLoadingTest {
    private static final int H = 8;

    @TempDir
    Path folder;

    private final Backend backend = Backend.open("java");
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private final Map<String, Object> config = new LinkedHashMap<>();

    @BeforeEach
    void tinyGte() {
        config.putAll(Map.of("model_type", "new", "hidden_size", H, "num_hidden_layers", 1, "num_attention_heads", 2, "intermediate_size", 12,
                "vocab_size", 5, "type_vocab_size", 0, "rope_theta", 160000));
        add("embeddings.word_embeddings.weight", 5, H);
        norm("embeddings.LayerNorm");
        dense("encoder.layer.0.attention.qkv_proj", 3 * H, H);
        dense("encoder.layer.0.attention.o_proj", H, H);
        norm("encoder.layer.0.attn_ln");
        add("encoder.layer.0.mlp.up_gate_proj.weight", 24, H);
        dense("encoder.layer.0.mlp.down_proj", H, 12);
        norm("encoder.layer.0.mlp_ln");
    }

    private void add(String name, long... shape) {
        tensors.put(name, Tensor.ofFloats(new float[(int) Tensor.elements(shape)], shape));
    }

    private void dense(String name, long out, long in) {
        add(name + ".weight", out, in);
        add(name + ".bias", out);
    }

    private void norm(String name) {
        add(name + ".weight", H);
        add(name + ".bias", H);
    }

    @AfterEach
    void close() {
        backend.close();
    }

    private Encoder load() {
        try {
            new ObjectMapper().writeValue(folder.resolve("config.json").toFile(), config);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        SafeTensors.write(folder.resolve("model.safetensors"), tensors, Map.of());
        return Encoder.load(folder, backend);
    }

    private float[] invFreq() {
        try (Encoder encoder = load()) {
            return ((GteEncoder) encoder).config().invFreq();
        }
    }

    private void refused(String... named) {
        String message = assertThrows(FormatException.class, this::load).getMessage();
        for (String part : named) {
            assertTrue(message.contains(part), message);
        }
    }

    @Test
    void buffersHeadsAndPoolersAreIgnored() {
        add("pooler.dense.weight", H, H);
        add("classifier.weight", 3, H);
        tensors.put("embeddings.position_ids", Tensor.ofInts(new int[4], 1, 4));
        load().close();
    }

    @Test
    void closingTwiceIsHarmlessAndUseAfterwardsThrows() {
        Encoder encoder = load();
        EncoderWorkspace space = encoder.workspace(4, 1);
        encoder.forward(TokenBatch.of(new int[] {1, 2}), space);
        encoder.close();
        encoder.close();
        assertThrows(IllegalStateException.class, () -> encoder.forward(TokenBatch.of(new int[] {1, 2}), space));
        space.close();
        space.close();
    }

    @Test
    void tensorsThatDoNotFit() {
        add("encoder.layer.0.mlp.down_proj.weight", H, 11);
        refused("encoder.layer.0.mlp.down_proj.weight", "[8, 12]", "F32[8, 11]");
        tensors.remove("encoder.layer.0.mlp.down_proj.weight");
        refused("encoder.layer.0.mlp.down_proj.weight", "missing");
        tensors.put("encoder.layer.0.mlp.down_proj.weight", Tensor.ofInts(new int[12 * H], H, 12));
        refused("encoder.layer.0.mlp.down_proj.weight", "I32");
    }

    @Test
    void tensorsThatTheConfigurationDoesNotExplain() {
        norm("encoder.layer.1.attn_ln");
        refused("encoder.layer.1.attn_ln.weight");
        tensors.keySet().removeIf(name -> name.startsWith("encoder.layer.1"));
        add("embeddings.token_type_embeddings.weight", 2, H);
        refused("embeddings.token_type_embeddings.weight");
    }

    @Test
    void kindsThatWouldComeOutWrong() {
        unless("logn_attention_scale", true);
        unless("layer_norm_type", "rms_norm");
        unless("position_embedding_type", "absolute");
        unless("hidden_act", "mish");
        unless("num_attention_heads", 3);
        unless("num_attention_heads", 8);
        unless("hidden_size", "8");
        unless("num_hidden_layers", 0);
        unless("layer_norm_eps", -1);
        unless("model_type", "roberta");
        unless("rope_scaling", Map.of("type", "yarn", "factor", 2.0));
        unless("rope_scaling", Map.of("type", "ntk"));
        load().close();
    }

    private void unless(String key, Object value) {
        Object before = config.put(key, value);
        refused(value instanceof Map ? "rope_scaling." : key);
        config.remove(key);
        if (before != null) {
            config.put(key, before);
        }
    }

    @Test
    void bertKindsThatWouldComeOutWrong() {
        config.put("model_type", "bert");
        unless("position_embedding_type", "relative_key");
        unless("is_decoder", true);
        unless("type_vocab_size", 0);
    }

    @Test
    void ropeFormsOfOldAndNewFilesAgree() {
        config.put("rope_scaling", Map.of("type", "ntk", "factor", 2.0));
        float[] ntk = invFreq();
        config.put("rope_scaling", Map.of("rope_type", "ntk", "factor", 2.0, "rope_theta", 1));
        assertArrayEquals(ntk, invFreq());
        config.remove("rope_theta");
        config.put("rope_scaling", Map.of("rope_type", "ntk", "factor", 2.0, "rope_theta", 160000));
        assertArrayEquals(ntk, invFreq());
        config.put("rope_theta", 160000);
        config.put("rope_parameters", Map.of("rope_type", "linear", "rope_theta", 320000, "factor", Math.pow(2, 2.0 / (H / 2))));
        Golden.assertClose("linear", ntk, invFreq(), 2e-7, 0);
        config.put("rope_parameters", Map.of("rope_type", "default", "rope_theta", 320000));
        assertArrayEquals(RopeFrequencies.plain(H / 2, 320000), invFreq());
        config.remove("rope_parameters");
        config.remove("rope_scaling");
        assertArrayEquals(RopeFrequencies.plain(H / 2, 160000), invFreq());
    }

    @Test
    void textsThatDoNotFit() {
        try (Encoder encoder = load(); EncoderWorkspace space = encoder.workspace(4, 2)) {
            assertThrows(IllegalArgumentException.class, () -> encoder.forward(TokenBatch.of(new int[] {1, 5}), space));
            assertThrows(IllegalArgumentException.class, () -> encoder.forward(TokenBatch.of(new int[] {-1}), space));
            assertThrows(IllegalArgumentException.class, () -> encoder.forward(TokenBatch.of(new int[] {1, 1, 1, 1, 1}), space));
            assertThrows(IllegalArgumentException.class, () -> encoder.forward(TokenBatch.withTypes(new int[][] {{1}}, new int[][] {{1}}), space));
            assertThrows(IllegalArgumentException.class, () -> TokenBatch.of(new int[] {1}, new int[0]));
            assertThrows(IllegalArgumentException.class, () -> TokenBatch.of());
            assertThrows(IllegalArgumentException.class, () -> TokenBatch.withTypes(new int[][] {{1, 2}}, new int[][] {{0}}));
            assertEquals(2, encoder.forward(TokenBatch.of(new int[] {1}, new int[] {4}), space).rows());
        }
    }
}
