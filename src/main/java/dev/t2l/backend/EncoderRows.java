package dev.t2l.backend;

import dev.t2l.tensor.Tensor;

/**
 * What all layers of an {@link EncoderLayer encoder} have in common.
 *
 * @param context f32 [n, H], scratch
 * @param angles  f32 [n, headDim] of rotary positions ({@link Backend#ropeAngles}), or null for none
 * @param ranges  i32 [n, 2]: rows that each row attends to
 * @param f       of gate, or of up where there is none
 */
public record EncoderRows(Tensor context, Tensor angles, Tensor ranges, AttentionSpec heads, Activation f) {
}
