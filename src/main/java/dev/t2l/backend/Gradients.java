package dev.t2l.backend;

import dev.t2l.tensor.Tensor;

/**
 * The kernels of training: backward passes, losses, noise, the optimiser's step. They keep {@link Backend}'s rules: f32 activations
 * and gradients, memory of the caller's, a row depends on its own inputs alone, the same call gives the same bits (sums over rows run
 * in a fixed order). {@code d} before a name is the gradient of the loss with respect to it. Unless a text says "added", results
 * overwrite.
 */
public interface Gradients {

    // Products

    /** Through a frozen weight: {@code dx = dy w}, or added to dx; dx f32 [n, in], dy f32 [n, out], w any type [out, in]. */
    void linearBackward(Tensor dx, Tensor dy, Tensor w, boolean add);

    /** Of a trained weight, both added: {@code dw += dy^T x}, {@code dbias += sum of dy's rows}; dw f32 [out, in], dbias f32 [out] or null. */
    void linearGradient(Tensor dw, Tensor dbias, Tensor dy, Tensor x);

    /**
     * Of {@link Backend#lora} where each row has one adapter of weight 1: for the rows of span k,
     * {@code t = scale dy B}, {@code dx = t A}, {@code dA += t^T x}, {@code dB += scale dy^T (x A^T)}.
     *
     * @param dx f32 [n, in]; rows in no span become 0
     */
    void loraBackward(Tensor dx, Tensor dy, Tensor x, LoraGradients lora);

    /** {@link Backend#loraFactor} backwards: {@code dy[where out came from] = dout * scale}; other elements of dy stay; scale null for 1. */
    void loraFactorBackward(Tensor dy, Tensor dout, LoraFactor source, Tensor scale);

    // Element-wise

    /** {@code dx = dy * f'(x)}; dx may be dy. */
    void activationBackward(Tensor dx, Tensor dy, Tensor x, Activation f);

    /** Of {@code f(gate) * up}: {@code dgate = dy * up * f'(gate)}, {@code dup = dy * f(gate)}; dgate may be gate, dup may be up. */
    void gatedBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up, Activation f);

    /** Of {@code y = cap * tanh(x / cap)}, from its result: {@code dy *= 1 - (y / cap)^2}. */
    void softcapBackward(Tensor dy, Tensor y, float cap);

    /** {@code x = value} everywhere, f32. */
    void fill(Tensor x, float value);

    /** {@code out = x} in another type, rounded to nearest even; F32, F16 or BF16 both, same number of elements. */
    void convert(Tensor out, Tensor x);

    /**
     * {@code out[i] = x[i] / (1 - p)} or 0 with probability p; out may be x. The mask is {@link Noise#keep} of seed and i, so the same
     * call is also the backward.
     */
    void dropout(Tensor out, Tensor x, float p, long seed);

    /** NEFTune (Jain et al. 2023): {@code x[i, j] += magnitude[i] * u}, u uniform in [-1, 1): {@link Noise#uniform} of seed and element. */
    void addNoise(Tensor x, Tensor magnitude, long seed);

    // Rows

    /** {@link Backend#gather} backwards, added in the order of i: {@code dtable[ids[i], :] += scale * dy[i, column .. column+d)}; dtable f32 [V, d]. */
    void scatterAdd(Tensor dtable, Tensor dy, long column, Tensor ids, float scale);

    // Norms

    /** Of {@link Backend#rmsNorm} with a frozen weight: dx (added if so asked) f32 [n, d], from x as it was. */
    void rmsNormBackward(Tensor dx, Tensor dy, Tensor x, Norm norm, boolean add);

    /** Of {@link Backend#layerNorm}: dx (added if so asked); dweight and dbias f32 [d] are added to, or both null. */
    void layerNormBackward(Tensor dx, Tensor dweight, Tensor dbias, Tensor dy, Tensor x, Tensor weight, float eps, boolean add);

    // Attention

    /**
     * Of {@link Backend#attention}, probabilities computed anew. Row i of q, k and v is the same token, so N = n.
     *
     * @param out    of the forward
     * @param ranges i32 [n, 2]: keys that query i sees, before the window is applied
     * @param seen   i32 [n, 2]: queries that see key i, before the window is applied
     */
    void attentionBackward(Tensor dq, Tensor dk, Tensor dv, Tensor dout, Tensor out, Tensor q, Tensor k, Tensor v, AttentionRows rows, AttentionSpec spec);

    /** Which rows see which: see {@link #attentionBackward}. */
    record AttentionRows(Tensor ranges, Tensor seen) {
    }

    // Losses

    /**
     * Cross-entropy with label smoothing s (Szegedy et al. 2016), and its gradient in place of the logits:
     * {@code loss[i] = weight[i] * ((1 - s) * nll(label) + s * mean of nll over all V)}, {@code logits = weight[i] * (softmax - target)}.
     *
     * @param loss   f32 [n]; 0 where the label is negative (ignored), whose logits become 0
     * @param logits f32 [n, V]
     * @param labels i32 [n]
     * @param weight f32 [n]
     */
    void crossEntropy(Tensor loss, Tensor logits, Tensor labels, Tensor weight, float smoothing);

    /** {@code loss[0] += weight * sum |x - target|} and {@code dx = weight * sign(x - target)}; with {@code squared}, (x - target)^2 and its gradient. */
    void distance(Tensor loss, Tensor dx, Tensor x, Tensor target, float weight, boolean squared);

    /** {@code out[at] = sum of x^2}; out f32, sums in double. NaN and infinities show in it. */
    void sumSquares(Tensor out, long at, Tensor x);

    // Optimiser

    /** One step of {@link AdamW} on w, with gradient g and moments m and v, all f32 of the same size; m and v are renewed. */
    void adamW(Tensor w, Tensor g, Tensor m, Tensor v, AdamW step);

    /**
     * Decoupled weight decay (Loshchilov and Hutter 2019), as torch.optim.AdamW computes it.
     *
     * @param step      from 1, for the bias corrections
     * @param gradScale factor on g, as clipping wants it
     */
    record AdamW(float rate, float beta1, float beta2, float eps, float weightDecay, long step, float gradScale) {
    }
}
