package dev.t2l.model;

import dev.t2l.backend.Norm;
import dev.t2l.backend.Product;
import dev.t2l.ops.LoraBatch;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** A decoder's weights, adapters and activations brought together for passes over the same number of rows, so that a pass allocates nothing. */
final class DecoderPass {
    /** One layer's products and norms. */
    record Layer(Norm attentionNorm, List<Product> attention, Product output, Norm mlpNorm, Product gate, Product up, Product down) {
    }

    private final DecoderWeights weights;
    private final Workspace.Rows rows;
    private final LoraBatch lora;
    private final List<Layer> layers = new ArrayList<>();

    DecoderPass(DecoderConfig config, DecoderWeights weights, Workspace.Rows rows, LoraBatch lora) {
        this.weights = weights;
        this.rows = rows;
        this.lora = lora;
        float eps = config.norm().eps();
        float offset = config.norm().weightOffset();
        for (int l = 0; l < weights.layers().size(); l++) {
            DecoderWeights.Layer w = weights.layers().get(l);
            layers.add(new Layer(new Norm(w.attentionNorm(), eps, offset),
                    List.of(product(l, Projection.Q, rows.q()), product(l, Projection.K, rows.k()), product(l, Projection.V, rows.v())),
                    product(l, Projection.O, rows.h()),
                    new Norm(w.mlpNorm(), eps, offset),
                    product(l, Projection.GATE, rows.gate()), product(l, Projection.UP, rows.up()), product(l, Projection.DOWN, rows.h())));
        }
    }

    private Product product(int layer, Projection projection, Tensor y) {
        Affine dense = weights.layers().get(layer).at(projection);
        return new Product(y, dense.weight(), dense.bias(), lora == null ? null : lora.at(layer, projection));
    }

    boolean serves(DecoderWeights otherWeights, Workspace.Rows otherRows, LoraBatch otherLora) {
        return weights == otherWeights && rows == otherRows && lora == otherLora;
    }

    Layer layer(int l) {
        return layers.get(l);
    }
}
