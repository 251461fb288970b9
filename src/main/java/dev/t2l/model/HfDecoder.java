package dev.t2l.model;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.backend.Activation;
import dev.t2l.backend.AttentionSpec;
import dev.t2l.io.FormatException;
import dev.t2l.tensor.Projection;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * Decoders as Hugging Face folders: what config.json says and how the tensors of model.safetensors are called
 * (transformers' configuration_*.py and modeling_*.py of llama, mistral, gemma2, qwen2, qwen3).
 */
final class HfDecoder {
    private static final List<String> ARCHITECTURES = List.of("llama", "mistral", "gemma2", "qwen2", "qwen3");

    private final Path file;
    private final JsonNode json;

    private HfDecoder(Path file, JsonNode json) {
        this.file = file;
        this.json = json;
    }

    /** Reads a config.json. */
    static DecoderConfig config(Path file) {
        try {
            JsonNode json = new ObjectMapper().readTree(file.toFile());
            if (json == null || !json.isObject()) {
                throw new FormatException(file, "top level", "wanted a JSON object");
            }
            return new HfDecoder(file, json).config();
        } catch (JacksonException e) {
            throw new FormatException(file, "byte " + e.getLocation().getByteOffset(), e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private DecoderConfig config() {
        String type = json.path("model_type").asText("");
        if (!ARCHITECTURES.contains(type)) {
            throw new FormatException(file, "key 'model_type'", "wanted one of " + ARCHITECTURES + ", found '" + type + "'");
        }
        boolean gemma = type.equals("gemma2");
        int hidden = integer("hidden_size");
        int heads = integer("num_attention_heads");
        int kvHeads = json.hasNonNull("num_key_value_heads") ? integer("num_key_value_heads") : heads;
        int headDim = json.hasNonNull("head_dim") ? integer("head_dim") : gemma ? 256 : hidden / heads;
        int layers = integer("num_hidden_layers");
        boolean[] windowed = windowed(type, layers);
        int window = 0;
        for (boolean w : windowed) {
            if (w) {
                window = integer("sliding_window");
            }
        }
        double scale = 1 / Math.sqrt(gemma ? real("query_pre_attn_scalar", 256) : headDim);
        float attentionCap = gemma ? (float) real("attn_logit_softcapping", 0) : 0;
        AttentionSpec spec;
        try {
            spec = new AttentionSpec(heads, kvHeads, headDim, (float) scale, attentionCap, window);
        } catch (IllegalArgumentException e) {
            throw new FormatException(file, "attention", e.getMessage(), e);
        }
        return new DecoderConfig(type, integer("vocab_size"), hidden, integer("intermediate_size"), layers,
                json.hasNonNull("max_position_embeddings") ? integer("max_position_embeddings") : 2048,
                new DecoderConfig.Norm((float) real("rms_norm_eps", 1e-6), gemma ? 1 : 0),
                new DecoderConfig.Attention(spec, windowed),
                new DecoderConfig.Rope(invFreq(headDim), 1, false),
                gemma ? (float) Math.sqrt(hidden) : 1,
                activation(json.hasNonNull("hidden_activation") ? json.get("hidden_activation").asText() : json.path("hidden_act").asText("silu")),
                gemma ? (float) real("final_logit_softcapping", 0) : 0, json.path("tie_word_embeddings").asBoolean(gemma));
    }

    private Activation activation(String name) {
        return switch (name) {
            case "silu", "swish" -> Activation.SILU;
            case "gelu_pytorch_tanh", "gelu_new" -> Activation.GELU_TANH;
            case "gelu" -> Activation.GELU;
            case "relu" -> Activation.RELU;
            default -> throw new FormatException(file, "key 'hidden_act'", "wanted silu, gelu, gelu_pytorch_tanh or relu, found '" + name + "'");
        };
    }

    /** Which layers see only the last sliding_window positions. */
    private boolean[] windowed(String type, int layers) {
        boolean[] windowed = new boolean[layers];
        JsonNode types = json.path("layer_types");
        boolean qwen = type.startsWith("qwen");
        if (!json.hasNonNull("sliding_window") || type.equals("llama") || qwen && !json.path("use_sliding_window").asBoolean(false)) {
            return windowed;
        }
        if (types.isArray()) {
            if (types.size() != layers) {
                throw new FormatException(file, "key 'layer_types'", "wanted " + layers + " entries, found " + types.size());
            }
            for (int l = 0; l < layers; l++) {
                String kind = types.get(l).asText();
                if (!kind.equals("sliding_attention") && !kind.equals("full_attention")) {
                    throw new FormatException(file, "key 'layer_types'", "wanted sliding_attention or full_attention, found '" + kind + "'");
                }
                windowed[l] = kind.equals("sliding_attention");
            }
        } else if (type.equals("gemma2")) {
            for (int l = 0; l < layers; l += 2) {
                windowed[l] = true;
            }
        } else {
            Arrays.fill(windowed, qwen ? Math.min(layers, integer("max_window_layers")) : 0, layers, true);
        }
        return windowed;
    }

    /** From the old keys (rope_theta and rope_scaling at the top) or the new one (rope_parameters). */
    private float[] invFreq(int headDim) {
        JsonNode parameters = json.hasNonNull("rope_parameters") ? json.get("rope_parameters") : json.path("rope_scaling");
        JsonNode theta = parameters.hasNonNull("rope_theta") ? parameters.get("rope_theta") : json.path("rope_theta");
        double base = theta.isNumber() ? theta.asDouble() : 10000;
        if (json.path("partial_rotary_factor").asDouble(1) != 1 || parameters.path("partial_rotary_factor").asDouble(1) != 1) {
            throw new FormatException(file, "key 'partial_rotary_factor'", "only fully rotated heads (1.0) are supported");
        }
        String kind = parameters.path("rope_type").asText(parameters.path("type").asText("default"));
        return switch (kind) {
            case "default" -> RopeFrequencies.plain(headDim, base);
            case "linear" -> RopeFrequencies.linear(headDim, base, scaling(parameters, "factor"));
            case "llama3" -> RopeFrequencies.llama3(headDim, base, scaling(parameters, "factor"), scaling(parameters, "low_freq_factor"),
                    scaling(parameters, "high_freq_factor"), scaling(parameters, "original_max_position_embeddings"));
            default -> throw new FormatException(file, "rope scaling", "wanted default, linear or llama3, found '" + kind + "'");
        };
    }

    private double scaling(JsonNode parameters, String key) {
        if (!parameters.path(key).isNumber()) {
            throw new FormatException(file, "rope scaling", "wanted a number '" + key + "', found " + parameters.path(key));
        }
        return parameters.get(key).asDouble();
    }

    private int integer(String key) {
        JsonNode value = json.path(key);
        if (!value.canConvertToInt() || value.asInt() <= 0) {
            throw new FormatException(file, "key '" + key + "'", "wanted a positive integer, found " + (value.isMissingNode() ? "nothing" : value));
        }
        return value.asInt();
    }

    private double real(String key, double absent) {
        JsonNode value = json.path(key);
        if (value.isMissingNode() || value.isNull()) {
            return absent;
        }
        if (!value.isNumber()) {
            throw new FormatException(file, "key '" + key + "'", "wanted a number, found " + value);
        }
        return value.asDouble();
    }

    /** How a folder's tensors are called. */
    static DecoderNames names(String architecture) {
        boolean gemma = architecture.equals("gemma2");
        return new DecoderNames("model.embed_tokens.weight", "model.norm.weight", "lm_head.weight", "model.layers.%d.", Projection::path,
                "input_layernorm", gemma ? "pre_feedforward_layernorm" : "post_attention_layernorm",
                gemma ? "post_attention_layernorm" : null, gemma ? "post_feedforward_layernorm" : null,
                "self_attn.q_norm", "self_attn.k_norm", 
                name -> name.endsWith(".rotary_emb.inv_freq") || name.equals("lm_head.weight")); // a tied model may carry a copy of its table
    }
}
