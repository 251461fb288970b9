package dev.t2l.ops;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Elements;
import dev.t2l.tensor.HeadRows;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Tensor;
import java.util.stream.LongStream;

/** An adapter's product added to a copy of the weight it acts on. Runs on the host, rows in parallel. */
public final class LoraMerge {
    private LoraMerge() {
    }

    /**
     * {@code out = w + weight * scale * B @ A}, sums in double, rounded once.
     *
     * @param out     f32 [out, in], host
     * @param w       any float or block-quantised type [out, in], host; may be out
     * @param headDim if not 0, rows of w lie interleaved within each head (see {@link dev.t2l.backend.LoraRows#headDim})
     */
    public static void forward(Tensor out, Tensor w, LoraWeights.Pair pair, float weight, int headDim) {
        Check.matrix("LoraMerge", "w", w, w.dtype(), pair.out(), pair.in());
        Check.matrix("LoraMerge", "out", out, DType.F32, pair.out(), pair.in());
        int in = (int) pair.in();
        float[] a = pair.a().toFloats();
        float[] b = pair.b().toFloats();
        double scale = (double) weight * pair.scale();
        LongStream.range(0, pair.out()).parallel().forEach(o -> {
            float[] row = new float[in];
            long place = HeadRows.neighbour(o, headDim);
            Elements.readRow(w, place, row, 0);
            double[] sum = new double[in];
            for (int k = 0; k < pair.rank(); k++) {
                double factor = scale * b[(int) o * pair.rank() + k];
                for (int i = 0; i < in; i++) {
                    sum[i] += factor * a[k * in + i];
                }
            }
            for (int i = 0; i < in; i++) {
                out.setFloat(place * in + i, (float) (row[i] + sum[i]));
            }
        });
    }
}
