package dev.t2l.model;

import dev.t2l.backend.Activation;

/**
 * The shape of a BERT encoder (Devlin et al. 2019).
 *
 * @param hidden       width H
 * @param intermediate width I of the feed-forward block
 * @param vocabulary   rows of the word table
 * @param positions    rows of the position table: the most tokens of a text
 * @param types        rows of the token type table, at least 1
 * @param normEpsilon  of every layer norm
 */
public record BertConfig(int hidden, int layers, int heads, int intermediate, int vocabulary, int positions, int types,
                         float normEpsilon, Activation activation) {
    public BertConfig {
        if (hidden % heads != 0) {
            throw new IllegalArgumentException("a width of " + hidden + " cannot be cut into " + heads + " heads");
        }
    }

    public int headDim() {
        return hidden / heads;
    }

    /** From config.json; missing keys take the defaults of the published configuration class. */
    static BertConfig of(JsonConfig json) {
        String positions = json.text("position_embedding_type", "absolute");
        if (!positions.equals("absolute")) {
            throw json.refuse("position_embedding_type", "BERT is supported with absolute positions only");
        }
        if (json.flag("is_decoder", false)) {
            throw json.refuse("is_decoder", "BERT is supported as an encoder only");
        }
        int hidden = json.integer("hidden_size", 1, 768);
        return new BertConfig(hidden, json.integer("num_hidden_layers", 1, 12), EncoderKeys.heads(json, hidden),
                json.integer("intermediate_size", 1, 3072), json.integer("vocab_size", 1, 30522), json.integer("max_position_embeddings", 1, 512),
                json.integer("type_vocab_size", 1, 2), (float) json.positive("layer_norm_eps", 1e-12), EncoderKeys.activation(json));
    }
}
