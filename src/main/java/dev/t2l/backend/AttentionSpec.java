package dev.t2l.backend;

/**
 * Constants of an attention call.
 *
 * @param scale   factor on q·k
 * @param softcap scores become {@code softcap * tanh(score / softcap)}; 0 = none
 * @param window  number of last keys a row sees, its own included; 0 = all
 */
public record AttentionSpec(int heads, int kvHeads, int headDim, float scale, float softcap, int window) {
    public AttentionSpec {
        if (kvHeads <= 0 || heads <= 0 || heads % kvHeads != 0 || headDim <= 0 || window < 0) {
            throw new IllegalArgumentException("heads=" + heads + " must be a multiple of kvHeads=" + kvHeads + "; headDim=" + headDim + ", window=" + window);
        }
    }
}
