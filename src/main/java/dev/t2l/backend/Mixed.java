package dev.t2l.backend;

import dev.t2l.tensor.Tensor;
import java.util.List;

/**
 * The kernels of a frozen model's pass in training, whose activations and gradients are F32 or BF16, each tensor for itself (mixed precision:
 * Micikevicius et al. 2018). What is read is widened, computed in f32, and rounded to nearest even where the result is BF16. Where {@link
 * Backend#prefilling()} may round, products may have bf16 factors. Otherwise {@link Backend}'s rules hold, and these kernels are its own and
 * those of {@link Gradients}, on shapes that are told there.
 */
public interface Mixed {

    // Products

    /** {@code y = x w^T + bias} of each product, without its adapters. */
    void products(Tensor x, List<Product> products);

    /** {@code x += in w^T + bias}, without adapters; product.y is scratch, F32, undefined afterwards. */
    void addProduct(Tensor x, Tensor in, Product product);

    /** {@code dx = dy w}, or added to dx. */
    void linearBackward(Tensor dx, Tensor dy, Tensor w, boolean add);

    /** {@code y += scale * (dropout(x) A^T) B^T} for the rows of each span; y [n, out], x [n, in]. */
    void lora(Tensor y, Tensor x, LoraSpans spans);

    /**
     * {@link #lora} backwards, all added: with {@code t = scale dy B}, {@code dx += dropout(t A)}, {@code dA += t^T dropout(x)},
     * {@code dB += scale dy^T (dropout(x) A^T)}.
     *
     * @param dx null if it is not wanted
     */
    void loraBackward(Tensor dx, Tensor dy, Tensor x, LoraSpans spans);

    // Element-wise

    /** {@code out = f(gate) * up}; out may be gate or up. */
    void gated(Tensor out, Tensor gate, Tensor up, Activation f);

    /** {@code dgate = dy * up * f'(gate)}, {@code dup = dy * f(gate)}; dgate may be gate, dup may be up. */
    void gatedBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up, Activation f);

    // Norms

    /**
     * {@code out = norm of x}.
     *
     * @param copy becomes x, in another type; null for none
     */
    void rmsNorm(Tensor out, Tensor copy, Tensor x, Norm norm);

    /**
     * {@link #rmsNorm} backwards: dx, or added to dx, from x as it was.
     *
     * @param copy becomes dx, in another type; null for none
     */
    void rmsNormBackward(Tensor dx, Tensor copy, Tensor dy, Tensor x, Norm norm, boolean add);

    // Attention

    /** Rotates every head of every row in place. */
    void rope(Tensor x, Tensor angles, boolean interleaved);

    /**
     * {@link Backend#attention} of row i of q over rows of k and v.
     *
     * @param logSums f32 [n, heads], what {@link #attentionBackward} wants to know again; null if out is F32
     */
    void attention(Tensor out, Tensor logSums, Tensor q, Tensor k, Tensor v, Tensor ranges, AttentionSpec spec);

    /**
     * {@link Gradients#attentionBackward}.
     *
     * @param logSums of the forward, as is out
     */
    void attentionBackward(Tensor dq, Tensor dk, Tensor dv, Tensor dout, Tensor out, Tensor logSums, Tensor q, Tensor k, Tensor v,
            Gradients.AttentionRows rows, AttentionSpec spec);
}
