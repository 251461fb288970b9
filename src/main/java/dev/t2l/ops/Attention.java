package dev.t2l.ops;

import dev.t2l.backend.AttentionSpec;
import dev.t2l.backend.Backend;
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
}
