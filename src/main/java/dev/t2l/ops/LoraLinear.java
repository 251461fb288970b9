package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.backend.LoraGradients;
import dev.t2l.backend.LoraRows;
import dev.t2l.backend.LoraSpans;
import dev.t2l.backend.Mixed;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/**
 * The adapted product (Hu et al. 2021, equation 3): {@code y = x W^T + b + sum over the row's adapters of s (x A^T) B^T}.
 */
public final class LoraLinear {
    private LoraLinear() {
    }

    /**
     * {@code y[n, out] = x[n, in] @ w[out, in]^T + bias[out] + sum_k weight_k * scale_k * (x @ A_k[r, in]^T) @ B_k[out, r]^T}.
     *
     * @param y    f32 [n, out]
     * @param x    f32 [n, in]
     * @param w    any float or block-quantised type [out, in]
     * @param bias any float type [out], or null
     * @param rows each row's adapters, or null for none
     */
    public static void forward(Backend backend, Tensor y, Tensor x, Tensor w, Tensor bias, LoraRows rows) {
        check("LoraLinear", y, x, w, bias, rows);
        Route.forward(backend, x, rows);
        backend.loraLinear(y, x, w, bias, rows);
    }

    /**
     * The adapters' term alone, which may have an input of its own (dropout):
     * {@code y[n, out] += sum_k weight_k * scale_k * (x[n, in] @ A_k[r, in]^T) @ B_k[out, r]^T}.
     *
     * @param y    f32 [n, out]
     * @param x    f32 [n, in]
     * @param rows each row's adapters
     */
    public static void add(Backend backend, Tensor y, Tensor x, LoraRows rows) {
        Check.matrix("LoraLinear.add", "x", x, DType.F32, y.rows(), x.cols());
        Check.matrix("LoraLinear.add", "y", y, DType.F32, x.rows(), y.cols());
        check("LoraLinear.add", y, x, rows);
        Route.forward(backend, x, rows);
        backend.lora(y, x, rows);
    }

    /**
     * The same in training, with a span of rows an adapter: {@code y += scale_k * (dropout(x) @ A_k^T) @ B_k^T} for the rows of span k.
     *
     * @param y F32 or BF16 [n, out]
     * @param x F32 or BF16 [n, in]
     */
    public static void add(Mixed kernels, Tensor y, Tensor x, LoraSpans spans) {
        Check.activation("LoraLinear.add", "x", x, y.rows(), x.cols());
        Check.activation("LoraLinear.add", "y", y, x.rows(), y.cols());
        check("LoraLinear.add", y, x, spans.rows());
        requireProbability(spans);
        kernels.lora(y, x, spans);
    }

    private static void requireProbability(LoraSpans spans) {
        if (!(spans.dropout() >= 0 && spans.dropout() < 1)) {
            throw new IllegalArgumentException("LoraLinear: the probability of dropout must be at least 0 and below 1, is " + spans.dropout());
        }
    }

    static void check(String op, Tensor y, Tensor x, Tensor w, Tensor bias, LoraRows rows) {
        Linear.check(op, y, x, w, bias);
        if (rows != null) {
            check(op, y, x, rows);
        }
    }

    private static void check(String op, Tensor y, Tensor x, LoraRows rows) {
        Check.matrix(op, "slots", rows.slots(), DType.I32, rows.weights().rows(), rows.weights().cols());
        Check.matrix(op, "weights", rows.weights(), DType.F32, rows.slots().rows(), rows.slots().cols());
        Check.that(rows.slots().rows() >= x.rows(), op, "slots must have a row for each row of x", rows.slots());
        for (int k = 0; k < rows.factors().size(); k++) {
            LoraRows.Factor f = rows.factors().get(k);
            if (f.a() != null) {
                Check.matrix(op, "A", f.a(), DType.F32, f.rank(), x.cols());
                Check.matrix(op, "B", f.b(), DType.F32, y.cols(), f.rank());
            }
        }
    }

    /**
     * Of the adapters' term alone; the weight's is {@link Linear#backward}. All added: for the rows of span k, with
     * {@code t = scale_k * dy @ B_k} and {@code x' = dropout(x)}: {@code dx += dropout(t @ A_k)}, {@code dA_k += t^T @ x'},
     * {@code dB_k += scale_k * dy^T @ (x' @ A_k^T)}.
     *
     * @param dx    F32 or BF16 [n, in], or null if it is not wanted
     * @param dy    F32 or BF16 [n, out]
     * @param x     F32 or BF16 [n, in]
     * @param spans one adapter a span, each with gradients of its own
     */
    public static void backward(Mixed kernels, Tensor dx, Tensor dy, Tensor x, LoraSpans spans) {
        String op = "LoraLinear.backward";
        Check.activation(op, "x", x, dy.rows(), x.cols());
        Check.activation(op, "dy", dy, x.rows(), dy.cols());
        if (dx != null) {
            Check.activation(op, "dx", dx, x.rows(), x.cols());
        }
        requireProbability(spans);
        check(op, dy, x, spans.gradients());
        kernels.loraBackward(dx, dy, x, spans);
    }

    private static void check(String op, Tensor dy, Tensor x, LoraGradients lora) {
        int spans = lora.factors().size();
        Check.matrix(op, "spans", lora.spans(), DType.I32, spans, 2);
        Check.elements(op, "table", lora.table(), DType.U8, 2L * spans * LoraRows.ENTRY_BYTES);
        Check.that(lora.gradients().size() == spans, op, "each of the spans must have gradients of its own: there are " + lora.gradients().size(), lora.spans());
        for (int k = 0; k < spans; k++) {
            LoraRows.Factor f = lora.factors().get(k);
            LoraRows.Factor gradient = lora.gradients().get(k);
            Check.matrix(op, "A", f.a(), DType.F32, f.rank(), x.cols());
            Check.matrix(op, "B", f.b(), DType.F32, dy.cols(), f.rank());
            Check.matrix(op, "dA", gradient.a(), DType.F32, f.rank(), x.cols());
            Check.matrix(op, "dB", gradient.b(), DType.F32, dy.cols(), f.rank());
        }
    }
}
