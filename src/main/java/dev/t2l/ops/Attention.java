package dev.t2l.ops;

import dev.t2l.backend.AttentionSpec;
import dev.t2l.backend.Backend;
import dev.t2l.backend.Gradients;
import dev.t2l.backend.Mixed;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/**
 * Grouped-query attention of rows over ranges of keys. Causal, bidirectional, windowed and ragged batches differ only in
 * the ranges, so there is no mask and no padding.
 */
public final class Attention {
    private Attention() {
    }

    /**
     * {@code out[i] = softmax(softcap(scale * q[i] k^T)) v} over the rows {@code ranges[i]} of k and v, a head at a time.
     *
     * @param out    f32 [n, heads * headDim]
     * @param q      f32 [n, heads * headDim]
     * @param k      f32 [N, kvHeads * headDim]
     * @param v      f32 [N, kvHeads * headDim]
     * @param ranges i32 [n, 2]: first key row, last key row + 1; never empty
     */
    public static void forward(Backend backend, Tensor out, Tensor q, Tensor k, Tensor v, Tensor ranges, AttentionSpec spec) {
        long width = (long) spec.heads() * spec.headDim();
        long kvWidth = (long) spec.kvHeads() * spec.headDim();
        Check.matrix("Attention", "q", q, DType.F32, ranges.rows(), width);
        Check.matrix("Attention", "out", out, DType.F32, ranges.rows(), width);
        Check.matrix("Attention", "k", k, DType.F32, k.rows(), kvWidth);
        Check.matrix("Attention", "v", v, DType.F32, k.rows(), kvWidth);
        Check.matrix("Attention", "ranges", ranges, DType.I32, q.rows(), 2);
        backend.attention(out, q, k, v, ranges, spec);
    }

    /**
     * {@link #forward} in training, where row i of q, k and v is the same token.
     *
     * @param out     F32 or BF16 [n, heads * headDim]; so is q
     * @param logSums f32 [n, heads], for the backward; null if out is F32
     * @param k       F32 or BF16 [n, kvHeads * headDim]; so is v
     */
    public static void forward(Mixed kernels, Tensor out, Tensor logSums, Tensor q, Tensor k, Tensor v, Tensor ranges, AttentionSpec spec) {
        String op = "Attention";
        long n = ranges.rows();
        Check.matrix(op, "ranges", ranges, DType.I32, q.rows(), 2);
        check(op, n, spec, out, logSums, q, k, v);
        kernels.attention(out, logSums, q, k, v, ranges, spec);
    }

    private static void check(String op, long n, AttentionSpec spec, Tensor out, Tensor logSums, Tensor q, Tensor k, Tensor v) {
        long width = (long) spec.heads() * spec.headDim();
        long kvWidth = (long) spec.kvHeads() * spec.headDim();
        Check.activation(op, "q", q, n, width);
        Check.activation(op, "out", out, n, width);
        Check.activation(op, "k", k, n, kvWidth);
        Check.activation(op, "v", v, n, kvWidth);
        if (logSums == null) {
            Check.that(out.dtype() == DType.F32, op, "out without logSums must be F32", out);
        } else {
            Check.matrix(op, "logSums", logSums, DType.F32, n, spec.heads());
        }
    }

    /**
     * With p the probabilities and {@code dp = dout v^T}: {@code ds = p * (dp - rowsum(dout * out))}, {@code dq = scale ds k},
     * {@code dk = scale ds^T q}, {@code dv = p^T dout} (Dao 2023, section 2.3). Row i of q, k and v is the same token; nothing of size n x n is stored.
     *
     * @param dq      F32 or BF16 [n, heads * headDim]; so are dout, out (of the forward) and q
     * @param dk      F32 or BF16 [n, kvHeads * headDim]; so are dv, k and v
     * @param logSums of the forward; null if out is F32
     * @param rows    which rows see which: i32 [n, 2] both
     */
    public static void backward(Mixed kernels, Tensor dq, Tensor dk, Tensor dv, Tensor dout, Tensor out, Tensor logSums, Tensor q, Tensor k, Tensor v,
            Gradients.AttentionRows rows, AttentionSpec spec) {
        String op = "Attention.backward";
        long n = rows.ranges().rows();
        long width = (long) spec.heads() * spec.headDim();
        long kvWidth = (long) spec.kvHeads() * spec.headDim();
        Check.matrix(op, "ranges", rows.ranges(), DType.I32, q.rows(), 2);
        Check.matrix(op, "seen", rows.seen(), DType.I32, q.rows(), 2);
        check(op, n, spec, out, logSums, q, k, v);
        Check.activation(op, "dq", dq, n, width);
        Check.activation(op, "dout", dout, n, width);
        Check.activation(op, "dk", dk, n, kvWidth);
        Check.activation(op, "dv", dv, n, kvWidth);
        kernels.attentionBackward(dq, dk, dv, dout, out, logSums, q, k, v, rows, spec);
    }
}
