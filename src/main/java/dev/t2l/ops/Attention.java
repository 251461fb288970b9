package dev.t2l.ops;

import dev.t2l.backend.AttentionSpec;
import dev.t2l.backend.Backend;
import dev.t2l.backend.Gradients;
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
     * With p the probabilities and {@code dp = dout v^T}: {@code ds = p * (dp - rowsum(dout * out))}, {@code dq = scale ds k},
     * {@code dk = scale ds^T q}, {@code dv = p^T dout} (Dao 2023, section 2.3). Row i of q, k and v is the same token; nothing of size n x n is stored.
     *
     * @param dq   f32 [n, heads * headDim]; so are dout, out (of the forward) and q
     * @param dk   f32 [n, kvHeads * headDim]; so are dv, k and v
     * @param rows which rows see which: i32 [n, 2] both
     */
    public static void backward(Backend backend, Tensor dq, Tensor dk, Tensor dv, Tensor dout, Tensor out, Tensor q, Tensor k, Tensor v,
            Gradients.AttentionRows rows, AttentionSpec spec) {
        String op = "Attention.backward";
        long n = rows.ranges().rows();
        long width = (long) spec.heads() * spec.headDim();
        long kvWidth = (long) spec.kvHeads() * spec.headDim();
        Check.matrix(op, "ranges", rows.ranges(), DType.I32, q.rows(), 2);
        Check.matrix(op, "seen", rows.seen(), DType.I32, q.rows(), 2);
        Check.matrix(op, "q", q, DType.F32, n, width);
        Check.matrix(op, "dq", dq, DType.F32, n, width);
        Check.matrix(op, "out", out, DType.F32, n, width);
        Check.matrix(op, "dout", dout, DType.F32, n, width);
        Check.matrix(op, "k", k, DType.F32, n, kvWidth);
        Check.matrix(op, "dk", dk, DType.F32, n, kvWidth);
        Check.matrix(op, "v", v, DType.F32, n, kvWidth);
        Check.matrix(op, "dv", dv, DType.F32, n, kvWidth);
        backend.gradients().attentionBackward(dq, dk, dv, dout, out, q, k, v, rows, spec);
    }
}
