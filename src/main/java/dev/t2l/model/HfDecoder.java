package dev.t2l.model;

import dev.t2l.backend.Activation;
import dev.t2l.backend.AttentionSpec;
import dev.t2l.tensor.Projection;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * Decoders as Hugging Face folders: what config.json says and how the tensors of model.safetensors are called
 * (transformers' configuration_*.py and modeling_*.py of llama, mistral, gemma2, qwen2, qwen3).
 */
final class HfDecoder {
    private static final List<String> ARCHITECTURES = List.of("llama", "mistral", "gemma2", "qwen2", "qwen3");

    private final JsonConfig json;
    private final String type;
    private final boolean gemma;

    private HfDecoder(JsonConfig json) {
        this.json = json;
        type = json.text("model_type", "");
        gemma = type.equals("gemma2");
        if (!ARCHITECTURES.contains(type)) {
            throw json.refuse("model_type", "wanted one of " + ARCHITECTURES);
        }
    }

    /** Reads a config.json. */
    static DecoderConfig config(Path file) {
        return new HfDecoder(JsonConfig.read(file)).config();
    }

    private DecoderConfig config() {
        int hidden = json.integer("hidden_size", 1);
        int layers = json.integer("num_hidden_layers", 1);
        var attention = attention(hidden, layers);
        return new DecoderConfig(type, json.integer("vocab_size", 1), hidden, json.integer("intermediate_size", 1), layers,
                json.integer("max_position_embeddings", 1, 2048),
                new DecoderConfig.Norm((float) json.positive("rms_norm_eps", 1e-6), gemma ? 1 : 0),
                attention,
                new DecoderConfig.Rope(invFreq(attention.spec().headDim()), 1, false),
                gemma ? (float) Math.sqrt(hidden) : 1,
                gemma ? activation("hidden_activation", "gelu_pytorch_tanh") : activation("hidden_act", "silu"),
                softcap("final_logit_softcapping"), json.flag("tie_word_embeddings", gemma));
    }

    private DecoderConfig.Attention attention(int hidden, int layers) {
        int heads = json.integer("num_attention_heads", 1);
        int kvHeads = json.integer("num_key_value_heads", 1, heads);
        int headDim = json.integer("head_dim", 1, gemma ? 256 : hidden / heads);
        boolean[] windowed = windowed(layers);
        int window = 0;
        for (boolean w : windowed) {
            window = w ? json.integer("sliding_window", 1) : window;
        }
        double scale = 1 / Math.sqrt(gemma ? json.positive("query_pre_attn_scalar", 256) : headDim);
        if (heads % kvHeads != 0) {
            throw json.refuse("num_key_value_heads", "wanted a divisor of num_attention_heads, " + heads);
        }
        return new DecoderConfig.Attention(new AttentionSpec(heads, kvHeads, headDim, (float) scale, softcap("attn_logit_softcapping"), window), windowed);
    }

    private float softcap(String key) {
        return gemma && json.has(key) ? (float) json.positive(key) : 0;
    }

    private Activation activation(String key, String missing) {
        return switch (json.text(key, missing)) {
            case "silu", "swish" -> Activation.SILU;
            case "gelu_pytorch_tanh", "gelu_new" -> Activation.GELU_TANH;
            case "gelu" -> Activation.GELU;
            case "relu" -> Activation.RELU;
            default -> throw json.refuse(key, "wanted silu, gelu, gelu_pytorch_tanh or relu");
        };
    }

    /** Which layers see only the last sliding_window positions. */
    private boolean[] windowed(int layers) {
        boolean[] windowed = new boolean[layers];
        boolean qwen = type.startsWith("qwen");
        if (!json.has("sliding_window") || type.equals("llama") || qwen && !json.flag("use_sliding_window", false)) {
            return windowed;
        }
        if (json.has("layer_types")) {
            List<String> types = json.texts("layer_types");
            if (types.size() != layers || !List.of("sliding_attention", "full_attention").containsAll(types)) {
                throw json.refuse("layer_types", "wanted sliding_attention or full_attention for each of " + layers + " layers");
            }
            for (int l = 0; l < layers; l++) {
                windowed[l] = types.get(l).equals("sliding_attention");
            }
        } else if (gemma) {
            for (int l = 0; l < layers; l += 2) {
                windowed[l] = true;
            }
        } else {
            Arrays.fill(windowed, qwen ? Math.min(layers, json.integer("max_window_layers", 0)) : 0, layers, true);
        }
        return windowed;
    }

    /** The base of the rotary frequencies that a config.json names. */
    static double ropeBase(Path file) {
        JsonConfig json = JsonConfig.read(file);
        double base = json.positive("rope_theta", 10000);
        return json.has("rope_parameters") ? json.object("rope_parameters").positive("rope_theta", base) : base;
    }

    /** From the old keys (rope_theta and rope_scaling at the top) or the new one (rope_parameters). */
    private float[] invFreq(int headDim) {
        String key = json.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
        double base = json.positive("rope_theta", 10000);
        rejectPartial(json);
        if (!json.has(key)) {
            return RopeFrequencies.plain(headDim, base);
        }
        JsonConfig rope = json.object(key);
        rejectPartial(rope);
        base = rope.positive("rope_theta", base);
        return switch (rope.text("rope_type", rope.text("type", "default"))) {
            case "default" -> RopeFrequencies.plain(headDim, base);
            case "linear" -> RopeFrequencies.linear(headDim, base, rope.positive("factor"));
            case "llama3" -> RopeFrequencies.llama3(headDim, base, rope.positive("factor"), rope.positive("low_freq_factor"),
                    rope.positive("high_freq_factor"), rope.positive("original_max_position_embeddings"));
            default -> throw rope.refuse(rope.has("rope_type") ? "rope_type" : "type", "wanted default, linear or llama3");
        };
    }

    private static void rejectPartial(JsonConfig rope) {
        if (rope.positive("partial_rotary_factor", 1) != 1) {
            throw rope.refuse("partial_rotary_factor", "only fully rotated heads (1.0) are supported");
        }
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
