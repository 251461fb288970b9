package dev.t2l.backend;

import dev.t2l.tensor.Tensor;

/**
 * A root-mean-square norm, as {@link Backend#rmsNorm} takes it.
 *
 * @param weight any float type [d]
 */
public record Norm(Tensor weight, float eps, float weightOffset) {
}
