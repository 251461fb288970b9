package dev.t2l.model;

import dev.t2l.backend.Activation;
import dev.t2l.io.FormatException;
import dev.t2l.io.Gguf;
import java.util.Map;
import java.util.Optional;

/** BERT as GGUF (architecture {@code bert}, as llama.cpp's converter writes it): configuration, pooling and tensor names. */
public final class GgufBert {
    private static final Map<String, String> EMBEDDINGS = Map.of(
            "embeddings.word_embeddings", "token_embd",
            "embeddings.position_embeddings", "position_embd",
            "embeddings.token_type_embeddings", "token_types",
            "embeddings.LayerNorm", "token_embd_norm");
    private static final Map<String, String> LAYER = Map.of(
            "attention.self.query", "attn_q",
            "attention.self.key", "attn_k",
            "attention.self.value", "attn_v",
            "attention.output.dense", "attn_output",
            "attention.output.LayerNorm", "attn_output_norm",
            "intermediate.dense", "ffn_up",
            "output.dense", "ffn_down",
            "output.LayerNorm", "layer_output_norm");
    private static final String LAYERS = "encoder.layer.";

    static final ModelTensors.Names NAMES = new ModelTensors.Names() {
        @Override
        public String inFile(String name) {
            return ggufName(name).orElseThrow(() -> new IllegalArgumentException("GGUF has no name for the BERT tensor '" + name + "'"));
        }

        @Override
        public boolean ignored(String inFile) {
            return inFile.startsWith("cls");
        }
    };

    private GgufBert() {
    }

    /** The GGUF name of a tensor with a Hugging Face name without prefix; empty if it is none of the encoder's. */
    public static Optional<String> ggufName(String name) {
        int dot = name.lastIndexOf('.');
        if (dot < 0) {
            return Optional.empty();
        }
        String suffix = name.substring(dot);
        if (!name.startsWith(LAYERS)) {
            return Optional.ofNullable(EMBEDDINGS.get(name.substring(0, dot))).map(found -> found + suffix);
        }
        int end = name.indexOf('.', LAYERS.length());
        if (end >= dot) {
            return Optional.empty();
        }
        return Optional.ofNullable(LAYER.get(name.substring(end + 1, dot))).map(found -> "blk." + name.substring(LAYERS.length(), end) + "." + found + suffix);
    }

    /** How the file's vectors are meant to be pooled ({@code bert.pooling_type}); empty if it does not say. */
    public static Optional<Pooling> pooling(Gguf file) {
        return switch ((int) file.integer("bert.pooling_type", 0)) {
            case 0 -> Optional.empty();
            case 1 -> Optional.of(Pooling.MEAN);
            case 2 -> Optional.of(Pooling.CLS);
            case 3 -> Optional.of(Pooling.LAST_TOKEN);
            default -> throw file.problem("bert.pooling_type", "wanted 1 (mean), 2 (cls) or 3 (last token), found " + file.integer("bert.pooling_type"));
        };
    }

    static BertConfig config(Gguf file) {
        if (file.bool("bert.attention.causal", false)) {
            throw file.problem("bert.attention.causal", "BERT is supported as a bidirectional encoder only");
        }
        int hidden = size(file, "bert.embedding_length");
        int heads = size(file, "bert.attention.head_count");
        if (hidden % heads != 0) {
            throw file.problem("bert.attention.head_count", "wanted a divisor of the width " + hidden + ", found " + heads);
        }
        double eps = file.real("bert.attention.layer_norm_epsilon");
        if (!(eps > 0 && eps < 1)) {
            throw file.problem("bert.attention.layer_norm_epsilon", "wanted a small positive number, found " + eps);
        }
        return new BertConfig(hidden, size(file, "bert.block_count"), heads, size(file, "bert.feed_forward_length"), rows(file, "token_embd.weight"),
                rows(file, "position_embd.weight"), rows(file, "token_types.weight"), (float) eps, Activation.GELU);
    }

    private static int size(Gguf file, String key) {
        long value = file.integer(key);
        if (value < 1 || value > Integer.MAX_VALUE) {
            throw file.problem(key, "wanted a positive number of 31 bits, found " + value);
        }
        return (int) value;
    }

    private static int rows(Gguf file, String table) {
        if (!file.weights().has(table)) {
            throw new FormatException(file.path(), "tensor '" + table + "'", "is missing; a BERT encoder has one");
        }
        return (int) Math.min(Integer.MAX_VALUE, file.weights().get(table).rows());
    }
}
