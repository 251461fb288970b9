package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** The mean of consecutive rows. */
public final class MeanPool {
    private MeanPool() {
    }

    /**
     * {@code out[s, :] = mean of x[ranges[s,0] .. ranges[s,1], :]}.
     *
     * @param out    f32 [S, d]
     * @param x      f32 [n, d]
     * @param ranges i32 [S, 2], never empty
     */
    public static void forward(Backend backend, Tensor out, Tensor x, Tensor ranges) {
        Check.matrix("MeanPool", "out", out, DType.F32, ranges.rows(), x.cols());
        Check.matrix("MeanPool", "ranges", ranges, DType.I32, out.rows(), 2);
        backend.meanRows(out, x, ranges);
    }
}
