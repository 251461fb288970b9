package dev.t2l.backend;

import dev.t2l.tensor.Tensor;

/**
 * How a hypernetwork reads task embeddings, for {@link Backend#hyperBody}: {@code norm(linear(embeddings))} for the rows that are of a task.
 *
 * @param embeddings f32 [tasks, E]
 * @param linear     without adapters; y [tasks, T] is scratch
 * @param normed     f32 [tasks, T], scratch
 * @param taskOfRow  i32 [n]
 */
public record TaskEncoder(Tensor embeddings, Product linear, AffineNorm norm, Tensor normed, Tensor taskOfRow) {
}
