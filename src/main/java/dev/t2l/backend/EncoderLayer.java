package dev.t2l.backend;

/**
 * A layer of an encoder whose norms come after each block, for {@link Backend#encoderLayers}: weights, and where their products go. None has
 * adapters.
 *
 * @param query  y [n, H], as key's, value's and output's
 * @param output of the attention's result
 * @param gate   y [n, I], as up's; null if up is not gated
 * @param down   y [n, H], which may be output's
 * @param norm   of the second block
 */
public record EncoderLayer(Product query, Product key, Product value, Product output, AffineNorm attentionNorm, Product gate, Product up, Product down,
                           AffineNorm norm) {
}
