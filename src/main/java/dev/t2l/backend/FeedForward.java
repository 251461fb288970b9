package dev.t2l.backend;

import dev.t2l.tensor.Tensor;

/**
 * A block of a hypernetwork's body, for {@link Backend#hyperBody}: {@code silu(down(silu(up(x))))}.
 *
 * @param norm     of x before the block, or null for none
 * @param normed   f32 of x's shape, scratch; null if norm is
 * @param up       without adapters; y [n, inner] is scratch
 * @param down     without adapters; y [n, out] is the result, or scratch in all blocks but the last
 * @param residual whether x is added to the result; then out is x's width
 */
public record FeedForward(AffineNorm norm, Tensor normed, Product up, Product down, boolean residual) {
}
