package dev.t2l.bench;

import dev.t2l.backend.Activation;
import dev.t2l.backend.AttentionSpec;
import dev.t2l.model.DecoderConfig;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/** Language models by name: the sizes in their published config.json. Rotary frequencies are plain, which changes no time. */
public final class DecoderShapes {
    private static final Map<String, Supplier<DecoderConfig>> SHAPES = new LinkedHashMap<>();

    static {
        SHAPES.put("tiny", () -> llama(new Sizes(512, 256, 512, 2, 512), new Heads(4, 2, 64), 10_000, false));
        SHAPES.put("smollm2", () -> llama(new Sizes(49152, 576, 1536, 30, 8192), new Heads(9, 3, 64), 100_000, true));
        SHAPES.put("mistral-7b", () -> llama(new Sizes(32000, 4096, 14336, 32, 32768), new Heads(32, 8, 128), 1_000_000, false));
        SHAPES.put("llama-3.1-8b", () -> llama(new Sizes(128256, 4096, 14336, 32, 131072), new Heads(32, 8, 128), 500_000, false));
        SHAPES.put("gemma-2-2b", DecoderShapes::gemma2);
    }

    private record Sizes(int vocabulary, int hidden, int intermediate, int layers, int context) {
    }

    private record Heads(int heads, int kvHeads, int headDim) {
    }

    private DecoderShapes() {
    }

    /** {@code tiny} is for a quick proof that something runs. */
    public static Set<String> names() {
        return SHAPES.keySet();
    }

    /** @throws IllegalArgumentException if no shape has that name */
    public static DecoderConfig of(String name) {
        Supplier<DecoderConfig> shape = SHAPES.get(name);
        if (shape == null) {
            throw new IllegalArgumentException("no language model's shape is called '" + name + "'; there are " + String.join(", ", names()));
        }
        return shape.get();
    }

    private static DecoderConfig llama(Sizes s, Heads h, double base, boolean tied) {
        var attention = new AttentionSpec(h.heads(), h.kvHeads(), h.headDim(), (float) (1 / Math.sqrt(h.headDim())), 0, 0);
        return new DecoderConfig("llama", s.vocabulary(), s.hidden(), s.intermediate(), s.layers(), s.context(), new DecoderConfig.Norm(1e-5f, 0),
                new DecoderConfig.Attention(attention, new boolean[s.layers()]), new DecoderConfig.Rope(frequencies(h.headDim(), base), 1, false),
                1, Activation.SILU, 0, tied);
    }

    private static DecoderConfig gemma2() {
        int layers = 26;
        boolean[] windowed = new boolean[layers];
        for (int l = 0; l < layers; l += 2) {
            windowed[l] = true;
        }
        var attention = new AttentionSpec(8, 4, 256, 1 / 16f, 50, 4096);
        return new DecoderConfig("gemma2", 256_000, 2304, 9216, layers, 8192, new DecoderConfig.Norm(1e-6f, 1),
                new DecoderConfig.Attention(attention, windowed), new DecoderConfig.Rope(frequencies(256, 10_000), 1, false),
                (float) Math.sqrt(2304), Activation.GELU_TANH, 30, true);
    }

    static float[] frequencies(int headDim, double base) {
        float[] f = new float[headDim / 2];
        for (int j = 0; j < f.length; j++) {
            f[j] = (float) Math.pow(base, -2.0 * j / headDim);
        }
        return f;
    }
}
