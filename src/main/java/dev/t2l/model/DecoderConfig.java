package dev.t2l.model;

import dev.t2l.backend.Activation;
import dev.t2l.backend.AttentionSpec;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Projection;
import java.util.Map;

/**
 * What tells one decoder-only language model from another: Llama 2/3, Mistral, Gemma-2, Qwen2 and Qwen3 are one class,
 * {@link Decoder}, over this record.
 *
 * @param architecture  as in GGUF's general.architecture: llama, mistral, gemma2, qwen2, qwen3
 * @param vocabulary    rows of the embedding table, V
 * @param hidden        width of the residual stream, H
 * @param intermediate  width of the gated MLP, I
 * @param contextLength positions the model was made for
 * @param norm          all its RMS norms
 * @param embedScale    factor on looked-up embeddings (Gemma: sqrt(H))
 * @param activation    on the MLP's gate
 * @param logitSoftcap  soft limit on logits; 0 = none
 * @param tied          logits are products with the embedding table, there is no output matrix
 */
public record DecoderConfig(String architecture, int vocabulary, int hidden, int intermediate, int layers, int contextLength,
        Norm norm, Attention attention, Rope rope, float embedScale, Activation activation, float logitSoftcap, boolean tied) {

    /** @param weightOffset added to the stored weight (Gemma's safetensors: 1) */
    public record Norm(float eps, float weightOffset) {
    }

    /**
     * @param spec     of layers with a window
     * @param windowed by layer: does {@code spec.window} hold there
     */
    public record Attention(AttentionSpec spec, boolean[] windowed) {
        /** The constants of a layer's attention. */
        public AttentionSpec at(int layer) {
            return windowed[layer] ? spec : spec.withWindow(0);
        }
    }

    /**
     * @param invFreq     angle per position, of headDim/2 pairs
     * @param factor      on cosines and sines (1 unless a scaling says otherwise)
     * @param interleaved pairs are neighbours: how llama.cpp stores the q and k rows of Llama and Mistral
     */
    public record Rope(float[] invFreq, float factor, boolean interleaved) {
    }

    /** Width of all query heads. */
    public int queryWidth() {
        return attention.spec().heads() * attention.spec().headDim();
    }

    /** Width of all key (or value) heads. */
    public int keyWidth() {
        return attention.spec().kvHeads() * attention.spec().headDim();
    }

    /** Input features of a projection. */
    public int in(Projection projection) {
        return switch (projection) {
            case O -> queryWidth();
            case DOWN -> intermediate;
            default -> hidden;
        };
    }

    /** Output features of a projection. */
    public int out(Projection projection) {
        return switch (projection) {
            case Q -> queryWidth();
            case K, V -> keyWidth();
            case GATE, UP -> intermediate;
            case O, DOWN -> hidden;
        };
    }

    /**
     * Does an adapter fit?
     *
     * @throws IllegalArgumentException naming the first layer, projection or shape that does not
     */
    public void requireFits(LoraWeights adapter) {
        for (Map.Entry<LoraWeights.Site, LoraWeights.Pair> e : adapter.pairs().entrySet()) {
            LoraWeights.Site site = e.getKey();
            LoraWeights.Pair pair = e.getValue();
            if (site.layer() >= layers) {
                throw new IllegalArgumentException("the adapter targets " + site + ", the model has " + layers + " layers");
            }
            int in = in(site.projection());
            int out = out(site.projection());
            if (pair.in() != in || pair.out() != out) {
                throw new IllegalArgumentException("the adapter does not fit the model at " + site + ": the model maps " + in + " to " + out
                        + " features, the adapter " + pair.in() + " to " + pair.out() + " (was it made for another base model?)");
            }
        }
    }
}
