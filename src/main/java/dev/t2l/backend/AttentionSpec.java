package dev.t2l.backend;

import dev.t2l.tensor.DType;

/**
 * Constants of an attention call.
 *
 * @param scale   factor on q·k
 * @param softcap scores become {@code softcap * tanh(score / softcap)}; 0 = none
 * @param window  number of last keys a row sees, its own included; 0 = all
 * @param half    of a model in bf16: {@link Backend#prefilling()} may round queries, keys, weights and values to bf16 for their products, as other
 *                frameworks do; sums and the softmax stay f32
 */
public record AttentionSpec(int heads, int kvHeads, int headDim, float scale, float softcap, int window, boolean half) {
    public AttentionSpec {
        if (kvHeads <= 0 || heads <= 0 || heads % kvHeads != 0 || headDim <= 0 || window < 0) {
            throw new IllegalArgumentException("heads=" + heads + " must be a multiple of kvHeads=" + kvHeads + "; headDim=" + headDim + ", window=" + window);
        }
    }

    /** Without rounding. */
    public AttentionSpec(int heads, int kvHeads, int headDim, float scale, float softcap, int window) {
        this(heads, kvHeads, headDim, scale, softcap, window, false);
    }

    /** The same with another window. */
    public AttentionSpec withWindow(int other) {
        return new AttentionSpec(heads, kvHeads, headDim, scale, softcap, other, half);
    }

    /** The same for keys that come of weights of this type: {@code half} if it is bf16. */
    public AttentionSpec of(DType weights) {
        return new AttentionSpec(heads, kvHeads, headDim, scale, softcap, window, weights == DType.BF16);
    }
}
