package dev.t2l.model;

import dev.t2l.tensor.Tensor;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The parameters of a {@link BertEncoder}.
 *
 * @param words     [V, H]
 * @param positions [P, H]
 * @param types     [T, H]
 * @param norm      [H]
 */
record BertWeights(Tensor words, Tensor positions, Tensor types, Affine norm, List<Layer> layers) {

    /** Query, key, value and attention output are [H, H], intermediate is [I, H], output [H, I], the norms [H]. */
    record Layer(Affine query, Affine key, Affine value, Affine attentionOutput, Affine attentionNorm, Affine intermediate, Affine output,
                 Affine outputNorm) {
    }

    /** By Hugging Face names. */
    static BertWeights of(ModelTensors tensors, BertConfig config) {
        int h = config.hidden();
        int i = config.intermediate();
        var weights = new BertWeights(
                tensors.matrix("embeddings.word_embeddings.weight", config.vocabulary(), h),
                tensors.matrix("embeddings.position_embeddings.weight", config.positions(), h),
                tensors.matrix("embeddings.token_type_embeddings.weight", config.types(), h),
                tensors.norm("embeddings.LayerNorm", h),
                IntStream.range(0, config.layers()).mapToObj(n -> "encoder.layer." + n + ".").map(at -> new Layer(
                        tensors.dense(at + "attention.self.query", h, h),
                        tensors.dense(at + "attention.self.key", h, h),
                        tensors.dense(at + "attention.self.value", h, h),
                        tensors.dense(at + "attention.output.dense", h, h),
                        tensors.norm(at + "attention.output.LayerNorm", h),
                        tensors.dense(at + "intermediate.dense", i, h),
                        tensors.dense(at + "output.dense", h, i),
                        tensors.norm(at + "output.LayerNorm", h))).toList());
        tensors.finish();
        return weights;
    }
}
