package dev.t2l.model;

import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;

/** A Hugging Face folder of a decoder with random weights: V 64, H 32, I 48, two layers, two query heads and one key head of 16. */
public final class TinyDecoder {
    private static final int V = 64;
    private static final int H = 32;
    private static final int I = 48;
    private static final int LAYERS = 2;
    private static final int HEAD = 16;

    private final Random random = new Random(5);
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();

    private TinyDecoder() {
    }

    /**
     * Writes the folder; its embeddings are tied.
     *
     * @param more further members of config.json, each with a comma before it
     */
    public static Path write(Path folder, String type, String more) {
        try {
            Files.createDirectories(folder);
            Files.writeString(folder.resolve("config.json"), """
                    {"model_type": "%s", "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
                     "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 128, "tie_word_embeddings": true%s}""".formatted(type, more));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        var tiny = new TinyDecoder();
        tiny.fill(type);
        SafeTensors.write(folder.resolve("model.safetensors"), tiny.tensors, Map.of());
        return folder;
    }

    private void fill(String type) {
        boolean gemma = type.equals("gemma2");
        add("model.embed_tokens", V, H);
        for (int l = 0; l < LAYERS; l++) {
            String layer = "model.layers." + l + ".";
            for (Projection p : Projection.values()) {
                add(layer + p.path(), out(p), in(p));
            }
            add(layer + "input_layernorm", H);
            add(layer + "post_attention_layernorm", H);
            if (gemma) {
                add(layer + "pre_feedforward_layernorm", H);
                add(layer + "post_feedforward_layernorm", H);
            }
        }
        add("model.norm", H);
    }

    private static int in(Projection p) {
        return p == Projection.DOWN ? I : H;
    }

    private static int out(Projection p) {
        return switch (p) {
            case Q, O, DOWN -> H;
            case K, V -> HEAD;
            case GATE, UP -> I;
        };
    }

    private void add(String name, long... shape) {
        tensors.put(name + ".weight", values(random, shape));
    }

    private static Tensor values(Random random, long... shape) {
        float[] values = new float[(int) Tensor.elements(shape)];
        for (int i = 0; i < values.length; i++) {
            values[i] = (shape.length == 1 ? 1 : 0) + 0.25f * (float) random.nextGaussian();
        }
        return Tensor.ofFloats(values, shape);
    }

    /** An adapter of q and v in both layers, rank 2. */
    public static LoraWeights adapter() {
        var random = new Random(6);
        Map<Site, Pair> pairs = new LinkedHashMap<>();
        for (int l = 0; l < LAYERS; l++) {
            for (Projection p : new Projection[] {Projection.Q, Projection.V}) {
                pairs.put(new Site(l, p), new Pair(values(random, 2, in(p)), values(random, out(p), 2), 1.5f));
            }
        }
        return new LoraWeights(pairs);
    }
}
