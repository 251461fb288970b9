package dev.t2l.bench;

import dev.t2l.model.DecoderConfig;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Projection;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The types of a decoder's matrices: one for all, or llama.cpp's mix {@code q4_k_m}, of Q4_K with Q6_K for the output matrix and for half of
 * the value and down projections (llama-quant.cpp, {@code use_more_bits}).
 */
public enum WeightFormat {
    F32(DType.F32), F16(DType.F16), BF16(DType.BF16), Q8_0(DType.Q8_0), Q4_0(DType.Q4_0), Q4_1(DType.Q4_1), Q4_K(DType.Q4_K), Q6_K(DType.Q6_K),
    Q4_K_M(DType.Q4_K);

    private static final Pattern LAYER = Pattern.compile("model\\.layers\\.(\\d+)\\.(.+)\\.weight");

    private final DType type;

    WeightFormat(DType type) {
        this.type = type;
    }

    /** The type of all matrices, or of most. */
    public DType type() {
        return type;
    }

    /** As on the command line: {@code q4_k_m}. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** All labels. */
    public static List<String> names() {
        return Arrays.stream(values()).map(WeightFormat::label).toList();
    }

    /** @throws IllegalArgumentException if no format has that label */
    public static WeightFormat of(String label) {
        return Arrays.stream(values()).filter(f -> f.label().equalsIgnoreCase(label)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no weights are called '" + label + "'; there are " + String.join(", ", names())));
    }

    /** The type of a matrix by its Hugging Face name. */
    DType typeOf(String name, DecoderConfig config) {
        if (this != Q4_K_M) {
            return type;
        }
        if (name.equals("lm_head.weight") || config.tied() && name.equals("model.embed_tokens.weight")) {
            return DType.Q6_K;
        }
        Matcher layer = LAYER.matcher(name);
        if (!layer.matches()) {
            return type;
        }
        boolean often = layer.group(2).equals(Projection.V.path()) || layer.group(2).equals(Projection.DOWN.path());
        return often && moreBits(Integer.parseInt(layer.group(1)), config.layers()) ? DType.Q6_K : type;
    }

    private static boolean moreBits(int layer, int layers) {
        return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
    }

    /** Why a model of this shape cannot have such weights; empty if it can. */
    public String obstacle(DecoderConfig config) {
        int block = type.blockSize();
        for (int row : new int[] {config.hidden(), config.queryWidth(), config.intermediate()}) {
            if (row % block != 0) {
                return label() + " wants rows of whole blocks of " + block + " weights, this shape has rows of " + row;
            }
        }
        return "";
    }
}
