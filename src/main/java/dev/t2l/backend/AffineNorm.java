package dev.t2l.backend;

import dev.t2l.tensor.Tensor;

/**
 * A layer norm, as {@link Backend#layerNorm} takes it.
 *
 * @param weight any float type [d]
 * @param bias   any float type [d]
 */
public record AffineNorm(Tensor weight, Tensor bias, float eps) {
}
