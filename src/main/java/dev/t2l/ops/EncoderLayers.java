package dev.t2l.ops;

import dev.t2l.backend.AffineNorm;
import dev.t2l.backend.AttentionSpec;
import dev.t2l.backend.Backend;
import dev.t2l.backend.EncoderLayer;
import dev.t2l.backend.EncoderRows;
import dev.t2l.backend.Product;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.List;

/** All layers of a bidirectional encoder with norms after each block (Vaswani et al. 2017; Devlin et al. 2019), gated or not. */
public final class EncoderLayers {
    private static final String OP = "EncoderLayers";

    private EncoderLayers() {
    }

    /**
     * {@code x = attentionNorm(x + output(attention(query(x), key(x), value(x))))}, then {@code x = norm(x + down(f(gate(x)) * up(x)))}, for each
     * layer; without a gate {@code f(up(x))}.
     *
     * @param x      f32 [n, H], in and out
     * @param layers their products' y are scratch: other tensors than x, and than each other but that down's may be output's
     */
    public static void forward(Backend backend, Tensor x, List<EncoderLayer> layers, EncoderRows rows) {
        AttentionSpec heads = rows.heads();
        long n = x.rows();
        Check.matrix(OP, "context", rows.context(), DType.F32, n, (long) heads.heads() * heads.headDim());
        Check.matrix(OP, "ranges", rows.ranges(), DType.I32, n, 2);
        if (rows.angles() != null) {
            Check.matrix(OP, "angles", rows.angles(), DType.F32, n, heads.headDim());
        }
        for (EncoderLayer layer : layers) {
            check(layer, x, rows.context());
        }
        backend.encoderLayers(x, layers, rows);
    }

    private static void check(EncoderLayer layer, Tensor x, Tensor context) {
        for (Product p : List.of(layer.query(), layer.key(), layer.value())) {
            product(p, x);
            Check.matrix(OP, "query, key and value", p.y(), DType.F32, x.rows(), context.cols());
        }
        product(layer.output(), context);
        norm(layer.attentionNorm(), layer.output().y(), x);
        Product inner = layer.up();
        product(inner, x);
        if (layer.gate() != null) {
            product(layer.gate(), x);
            Check.matrix(OP, "gate", layer.gate().y(), DType.F32, x.rows(), inner.y().cols());
        }
        product(layer.down(), inner.y());
        norm(layer.norm(), layer.down().y(), x);
    }

    private static void product(Product p, Tensor x) {
        Linear.check(OP, p.y(), x, p.w(), p.bias());
        Check.that(p.lora() == null, OP, "no adapters", p.w());
    }

    private static void norm(AffineNorm norm, Tensor branch, Tensor x) {
        Check.matrix(OP, "a block's result", branch, DType.F32, x.rows(), x.cols());
        Check.weight(OP, "norm", norm.weight(), x.cols());
        Check.weight(OP, "norm's bias", norm.bias(), x.cols());
    }
}
