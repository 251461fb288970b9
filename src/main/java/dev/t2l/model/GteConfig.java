package dev.t2l.model;

import dev.t2l.backend.Activation;

/**
 * The shape of a gte-v1.5 encoder ("NewModel"; Zhang et al. 2024, mGTE).
 *
 * @param hidden       width H
 * @param intermediate width I of the gated feed-forward block
 * @param vocabulary   rows of the word table
 * @param types        rows of the token type table; 0 = there is none
 * @param normEpsilon  of every layer norm
 * @param invFreq      angle per position of the headDim/2 pairs; static, the same for every length
 */
public record GteConfig(int hidden, int layers, int heads, int intermediate, int vocabulary, int types, float normEpsilon,
                        Activation activation, float[] invFreq) {
    public GteConfig {
        if (hidden % heads != 0 || hidden / heads % 2 != 0) {
            throw new IllegalArgumentException("a width of " + hidden + " cannot be cut into " + heads + " heads of even size");
        }
    }

    public int headDim() {
        return hidden / heads;
    }

    /** From config.json; missing keys take the defaults of the published configuration class. */
    static GteConfig of(JsonConfig json) {
        only(json, "position_embedding_type", "rope");
        only(json, "layer_norm_type", "layer_norm");
        if (json.flag("logn_attention_scale", false)) {
            throw json.refuse("logn_attention_scale", "scaling of queries by log n is not supported");
        }
        int hidden = json.integer("hidden_size", 1, 768);
        int heads = EncoderKeys.heads(json, hidden);
        if (hidden / heads % 2 != 0) {
            throw json.refuse("num_attention_heads", "rotary positions want heads of even size, " + hidden + "/" + heads + " is odd");
        }
        return new GteConfig(hidden, json.integer("num_hidden_layers", 1, 12), heads, json.integer("intermediate_size", 1, 3072),
                json.integer("vocab_size", 1, 30528), json.integer("type_vocab_size", 0, 1), (float) json.positive("layer_norm_eps", 1e-12),
                EncoderKeys.activation(json), invFreq(json, hidden / heads));
    }

    /** From {@code rope_theta} and {@code rope_scaling}, or {@code rope_parameters}, which newer files write in their place. */
    private static float[] invFreq(JsonConfig json, int headDim) {
        boolean renewed = json.has("rope_parameters");
        String key = renewed ? "rope_parameters" : "rope_scaling";
        if (!json.has(key)) {
            return RopeFrequencies.plain(headDim, json.positive("rope_theta", 10_000));
        }
        JsonConfig rope = json.object(key);
        JsonConfig first = renewed ? rope : json;
        double base = first.has("rope_theta") ? first.positive("rope_theta") : (renewed ? json : rope).positive("rope_theta", 10_000);
        return switch (rope.text("rope_type", rope.text("type", "default"))) {
            case "default", "none" -> RopeFrequencies.plain(headDim, base);
            case "linear" -> RopeFrequencies.linear(headDim, base, rope.positive("factor"));
            case "ntk" -> rope.has("mixed_b") ? RopeFrequencies.mixedNtk(headDim, base, rope.positive("factor"), rope.positive("mixed_b"))
                    : RopeFrequencies.ntk(headDim, base, rope.positive("factor"));
            default -> throw rope.refuse(rope.has("rope_type") ? "rope_type" : "type", "wanted ntk, linear, default or none");
        };
    }

    private static void only(JsonConfig json, String key, String supported) {
        if (!json.text(key, supported).equals(supported)) {
            throw json.refuse(key, "only '" + supported + "' is supported");
        }
    }
}
