package dev.t2l.model;

import dev.t2l.tensor.Tensor;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The parameters of a {@link GteEncoder}.
 *
 * @param words [V, H]
 * @param types [T, H], or null
 * @param norm  [H]
 * @param frequencies f32 [headDim/2]
 */
record GteWeights(Tensor words, Tensor types, Affine norm, List<Layer> layers, Tensor frequencies) {

    /** Query, key, value and output are [H, H], up and gate [I, H] without bias, down [H, I], the norms [H]. */
    record Layer(Affine query, Affine key, Affine value, Affine output, Affine attentionNorm, Affine up, Affine gate, Affine down, Affine mlpNorm) {
    }

    /** By Hugging Face names, with packed or separate query, key and value. */
    static GteWeights of(ModelTensors tensors, GteConfig config) {
        int h = config.hidden();
        var weights = new GteWeights(
                tensors.matrix("embeddings.word_embeddings.weight", config.vocabulary(), h),
                config.types() == 0 ? null : tensors.matrix("embeddings.token_type_embeddings.weight", config.types(), h),
                tensors.norm("embeddings.LayerNorm", h),
                IntStream.range(0, config.layers()).mapToObj(n -> layer(tensors, "encoder.layer." + n + ".", h, config.intermediate())).toList(),
                tensors.computed(config.invFreq()));
        tensors.finish();
        return weights;
    }

    private static Layer layer(ModelTensors tensors, String at, int h, int i) {
        List<Affine> qkv = qkv(tensors, at + "attention.", h);
        var upGate = new Affine(tensors.matrix(at + "mlp.up_gate_proj.weight", 2L * i, h), null);
        return new Layer(qkv.get(0), qkv.get(1), qkv.get(2), tensors.dense(at + "attention.o_proj", h, h), tensors.norm(at + "attn_ln", h),
                upGate.rows(0, i), upGate.rows(i, 2L * i), tensors.dense(at + "mlp.down_proj", h, i), tensors.norm(at + "mlp_ln", h));
    }

    private static List<Affine> qkv(ModelTensors tensors, String at, int h) {
        if (tensors.has(at + "qkv_proj.weight")) {
            Affine packed = tensors.dense(at + "qkv_proj", 3L * h, h);
            return List.of(packed.rows(0, h), packed.rows(h, 2L * h), packed.rows(2L * h, 3L * h));
        }
        return List.of(tensors.dense(at + "q_proj", h, h), tensors.dense(at + "k_proj", h, h), tensors.dense(at + "v_proj", h, h));
    }
}
