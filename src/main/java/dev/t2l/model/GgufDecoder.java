package dev.t2l.model;

import dev.t2l.backend.Activation;
import dev.t2l.backend.AttentionSpec;
import dev.t2l.io.FormatException;
import dev.t2l.io.Gguf;
import dev.t2l.tensor.Projection;
import java.util.List;

/**
 * Decoders as GGUF files: their metadata and tensor names as llama.cpp's converter writes them. Its {@code llama} files (Llama and
 * Mistral) hold the rows of q and k interleaved within each head, and Gemma's norms hold 1 + weight.
 */
final class GgufDecoder {
    static final List<String> ARCHITECTURES = List.of("llama", "gemma2", "qwen2", "qwen3");
    private static final int GEMMA2_27B_LAYERS = 46;

    private final Gguf file;
    private final String architecture;

    private GgufDecoder(Gguf file) {
        this.file = file;
        this.architecture = file.string("general.architecture");
        if (!ARCHITECTURES.contains(architecture)) {
            throw file.problem("general.architecture", "wanted one of " + ARCHITECTURES + ", found '" + architecture + "'");
        }
    }

    static DecoderConfig config(Gguf file) {
        return new GgufDecoder(file).config();
    }

    private DecoderConfig config() {
        boolean gemma = architecture.equals("gemma2");
        boolean llama = architecture.equals("llama");
        if (integer("expert_count", 0) != 0) {
            throw file.problem(key("expert_count"), "mixtures of experts are not supported");
        }
        int hidden = integer("embedding_length");
        int heads = integer("attention.head_count");
        int kvHeads = integer("attention.head_count_kv", heads);
        int layers = integer("block_count");
        int headDim = integer("attention.key_length", hidden / heads);
        requireEqual("attention.value_length", integer("attention.value_length", headDim), headDim);
        requireEqual("rope.dimension_count", integer("rope.dimension_count", headDim), headDim);
        int window = integer("attention.sliding_window", gemma ? 4096 : 0);
        boolean[] windowed = new boolean[layers];
        for (int l = 0; l < layers; l++) {
            windowed[l] = window > 0 && (!gemma || l % 2 == 0);
        }
        var spec = spec(heads, kvHeads, headDim, (float) scale(architecture, layers, hidden / heads, headDim), gemma ? (float) real("attn_logit_softcapping", 50) : 0, window);
        return new DecoderConfig(architecture, vocabulary(), hidden, integer("feed_forward_length"), layers, integer("context_length"),
                new DecoderConfig.Norm((float) file.real(key("attention.layer_norm_rms_epsilon")), 0),
                new DecoderConfig.Attention(spec, windowed),
                new DecoderConfig.Rope(invFreq(headDim), 1, llama),
                gemma ? (float) Math.sqrt(hidden) : 1, gemma ? Activation.GELU_TANH : Activation.SILU,
                gemma ? (float) real("final_logit_softcapping", 30) : 0, !file.weights().has("output.weight"));
    }

    /**
     * The scale of attention scores, which files do not tell: by the size of a head, but Gemma-2 27B's, known by its layers, by the
     * width's share of a head (llama.cpp's gemma2).
     */
    static double scale(String architecture, int layers, int share, int headDim) {
        return 1 / Math.sqrt(architecture.equals("gemma2") && layers == GEMMA2_27B_LAYERS ? share : headDim);
    }

    private AttentionSpec spec(int heads, int kvHeads, int headDim, float scale, float softcap, int window) {
        try {
            return new AttentionSpec(heads, kvHeads, headDim, scale, softcap, window);
        } catch (IllegalArgumentException e) {
            throw new FormatException(file.path(), "attention", e.getMessage(), e);
        }
    }

    private int vocabulary() {
        if (!file.weights().has("token_embd.weight")) {
            throw new FormatException(file.path(), "tensors", "'token_embd.weight' is missing");
        }
        return Math.toIntExact(file.weights().get("token_embd.weight").rows());
    }

    private float[] invFreq(int headDim) {
        double base = real("rope.freq_base", 10000);
        String scaling = file.string(key("rope.scaling.type"), "none");
        float[] f = switch (scaling) {
            case "none" -> RopeFrequencies.plain(headDim, base);
            case "linear" -> RopeFrequencies.linear(headDim, base, real("rope.scaling.factor", 1));
            default -> throw file.problem(key("rope.scaling.type"), "wanted none or linear, found '" + scaling + "'");
        };
        if (file.weights().has("rope_freqs.weight")) { // llama3's scaling, as a divisor a pair
            float[] divisors = file.weights().get("rope_freqs.weight").toFloats();
            if (divisors.length != f.length) {
                throw new FormatException(file.path(), "tensor 'rope_freqs.weight'", "wanted " + f.length + " values, found " + divisors.length);
            }
            for (int j = 0; j < f.length; j++) {
                f[j] /= divisors[j];
            }
        }
        return f;
    }

    private void requireEqual(String name, int found, int wanted) {
        if (found != wanted) {
            throw file.problem(key(name), "only " + wanted + ", the size of a key head, is supported, found " + found);
        }
    }

    private String key(String name) {
        return architecture + "." + name;
    }

    private int integer(String name) {
        return positive(name, file.integer(key(name)), 1);
    }

    private int integer(String name, int absent) {
        return positive(name, file.integer(key(name), absent), 0);
    }

    private int positive(String name, long value, int least) {
        if (value < least || value > Integer.MAX_VALUE) {
            throw file.problem(key(name), "wanted an integer of at least " + least + ", found " + value);
        }
        return (int) value;
    }

    private double real(String name, double absent) {
        return file.real(key(name), absent);
    }

    /** How a file's tensors are called. */
    static DecoderNames names(String architecture) {
        boolean gemma = architecture.equals("gemma2");
        return new DecoderNames("token_embd.weight", "output_norm.weight", "output.weight", "blk.%d.", Projection::ggufName,
                "attn_norm", "ffn_norm", gemma ? "post_attention_norm" : null, gemma ? "post_ffw_norm" : null,
                "attn_q_norm", "attn_k_norm", name -> name.equals("rope_freqs.weight"));
    }
}
