package dev.t2l.backend;

/**
 * Adapters of a training batch at one projection, a span of rows each, under dropout of their input, for {@link Mixed}.
 *
 * @param rows      for the forward: each row's adapter, that of its span, with weight 1; null if there is only a backward
 * @param gradients for the backward: the same adapters
 * @param dropout   probability, at least 0 and below 1
 * @param seed      of {@link Noise#keep}: element i of x is kept or not
 */
public record LoraSpans(LoraRows rows, LoraGradients gradients, float dropout, long seed) {
}
