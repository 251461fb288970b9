package dev.t2l.backend;

import dev.t2l.tensor.Tensor;
import java.util.List;

/**
 * Adapters of a training batch at one projection and where their gradients go, for {@link Gradients#loraBackward}.
 *
 * @param factors   one a span
 * @param gradients dA and dB of each, of the factors' shapes, added to, no two of them the same memory; rank and scale as the factor's
 * @param spans     i32 [K, 2]: rows [from, to) of each, apart from each other and in ascending order
 * @param table     the same for kernels: U8 [2K * 24], as {@link LoraRows#table}, the factors first
 * @param rows      the most rows of a span
 * @param headDim   as {@link LoraRows#headDim}: dy's columns lie as the projection's rows do, dB's rows as B's
 */
public record LoraGradients(List<LoraRows.Factor> factors, List<LoraRows.Factor> gradients, Tensor spans, Tensor table, int rows, int headDim) {
}
