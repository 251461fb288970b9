package dev.t2l.model;

import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.util.List;
import java.util.Map;

/**
 * A decoder's weights, in whatever types their file holds.
 *
 * @param embedding [V, H]
 * @param finalNorm [H]
 * @param output    [V, H]; the embedding itself where they are tied
 * @param invFreq   f32 [headDim/2], of the rotary embedding
 */
public record DecoderWeights(Tensor embedding, List<Layer> layers, Tensor finalNorm, Tensor output, Tensor invFreq) {

    /**
     * One layer. Norms that an architecture lacks are null.
     *
     * @param attentionNorm     [H], before attention
     * @param queryNorm         [headDim], on every query head (Qwen3)
     * @param keyNorm           [headDim], on every key head (Qwen3)
     * @param attentionPostNorm [H], on attention's output (Gemma-2)
     * @param mlpNorm           [H], before the MLP
     * @param mlpPostNorm       [H], on the MLP's output (Gemma-2)
     */
    public record Layer(Map<Projection, Affine> projections, Tensor attentionNorm, Tensor queryNorm, Tensor keyNorm,
            Tensor attentionPostNorm, Tensor mlpNorm, Tensor mlpPostNorm) {

        /** The dense product of a projection. */
        public Affine at(Projection projection) {
            return projections.get(projection);
        }
    }
}
