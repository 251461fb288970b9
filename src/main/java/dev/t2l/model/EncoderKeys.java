package dev.t2l.model;

import dev.t2l.backend.Activation;

/** The keys of config.json that all encoders read alike. */
final class EncoderKeys {
    private EncoderKeys() {
    }

    /** {@code num_attention_heads}, which must divide the width. */
    static int heads(JsonConfig json, int hidden) {
        int heads = json.integer("num_attention_heads", 1, 12);
        if (hidden % heads != 0) {
            throw json.refuse("num_attention_heads", "wanted a divisor of the width " + hidden);
        }
        return heads;
    }

    /** {@code hidden_act}. */
    static Activation activation(JsonConfig json) {
        return switch (json.text("hidden_act", "gelu")) {
            case "gelu", "gelu_python" -> Activation.GELU;
            case "gelu_new", "gelu_pytorch_tanh", "gelu_fast" -> Activation.GELU_TANH;
            case "silu", "swish" -> Activation.SILU;
            case "relu" -> Activation.RELU;
            default -> throw json.refuse("hidden_act", "wanted gelu, gelu_new, gelu_pytorch_tanh, silu or relu");
        };
    }
}
