package dev.t2l.model;

import dev.t2l.backend.AffineNorm;
import dev.t2l.backend.Product;
import dev.t2l.tensor.Tensor;

/**
 * The parameters of a dense product (weight [out, in], bias [out] or null) or of a layer norm (weight [d], bias [d]); any
 * float type, dense weights also block-quantised.
 */
public record Affine(Tensor weight, Tensor bias) {

    /** Outputs {@code [from, to)} of a dense product: how packed projections are taken apart. */
    Affine rows(long from, long to) {
        return new Affine(weight.slice(from, to), bias == null ? null : bias.slice(from, to));
    }

    /** This dense product, into y f32 [n, out]. */
    Product product(Tensor y) {
        return new Product(y, weight, bias, null);
    }

    /** This layer norm. */
    AffineNorm norm(float eps) {
        return new AffineNorm(weight, bias, eps);
    }
}
