package dev.t2l.backend;

/**
 * Where {@link Backend#loraFactor} finds its values in a head's output, in elements.
 *
 * @param transposed the factor is B [layers, features, r], not A [layers, r, features]
 */
public record LoraFactor(long start, long layerStride, long rankStride, boolean transposed) {
}
