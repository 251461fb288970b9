package dev.t2l.backend;

import dev.t2l.tensor.Elements;
import dev.t2l.tensor.Tensor;
import java.util.Arrays;

/**
 * The product of {@link JavaBackend}: each value is one double sum over k in order, whichever of the two ways it is formed.
 *
 * <p>Few rows meet the weight four of its rows at a time. Many rows meet a panel of it, transposed, so that the innermost loop runs
 * over outputs, which the compiler can do several at once.
 */
final class JavaLinear {
    /** Outputs of a piece of work. */
    static final int PANEL = 64;
    private static final int FEW = 4;

    private final Tensor y;
    private final double[] xs;
    private final Tensor w;
    private final float[] bias;
    private final int n;
    private final int in;

    JavaLinear(Tensor y, Tensor x, Tensor w, Tensor bias) {
        this.y = y;
        this.w = w;
        this.bias = bias == null ? null : bias.toFloats();
        xs = doubles(x.toFloats());
        n = (int) x.rows();
        in = (int) w.cols();
    }

    static double[] doubles(float[] values) {
        double[] wide = new double[values.length];
        for (int i = 0; i < wide.length; i++) {
            wide[i] = values[i];
        }
        return wide;
    }

    /** Outputs {@code piece * PANEL} and on, of all rows. */
    void piece(int piece) {
        long first = (long) piece * PANEL;
        int count = (int) Math.min(PANEL, w.rows() - first);
        if (n < FEW) {
            byRows(first, count);
        } else {
            byPanel(first, count);
        }
    }

    private void byRows(long first, int count) {
        float[] rows = new float[4 * in];
        double[] sums = new double[4];
        for (int o = 0; o < count; o += 4) {
            int here = Math.min(4, count - o);
            for (int r = 0; r < here; r++) {
                Elements.readRow(w, first + o + r, rows, r * in);
            }
            for (int i = 0; i < n; i++) {
                dot4(xs, i * in, rows, in, sums);
                for (int r = 0; r < here; r++) {
                    put(i, first + o + r, sums[r]);
                }
            }
        }
    }

    private static void dot4(double[] x, int at, float[] rows, int in, double[] sums) {
        double s0 = 0;
        double s1 = 0;
        double s2 = 0;
        double s3 = 0;
        for (int j = 0; j < in; j++) {
            double v = x[at + j];
            s0 += v * rows[j];
            s1 += v * rows[in + j];
            s2 += v * rows[2 * in + j];
            s3 += v * rows[3 * in + j];
        }
        sums[0] = s0;
        sums[1] = s1;
        sums[2] = s2;
        sums[3] = s3;
    }

    private void byPanel(long first, int count) {
        double[] panel = new double[in * count];
        float[] row = new float[in];
        for (int o = 0; o < count; o++) {
            Elements.readRow(w, first + o, row, 0);
            for (int j = 0; j < in; j++) {
                panel[j * count + o] = row[j];
            }
        }
        double[] sums = new double[count];
        for (int i = 0; i < n; i++) {
            Arrays.fill(sums, 0);
            int j = 0;
            for (; j + 3 < in; j += 4) {
                add4(sums, xs, i * in + j, panel, j * count);
            }
            for (; j < in; j++) {
                add(sums, xs[i * in + j], panel, j * count);
            }
            for (int o = 0; o < count; o++) {
                put(i, first + o, sums[o]);
            }
        }
    }

    private static void add(double[] sums, double x, double[] panel, int at) {
        for (int o = 0; o < sums.length; o++) {
            sums[o] += x * panel[at + o];
        }
    }

    /** {@link #add} for four elements of x, one after the other. */
    private static void add4(double[] sums, double[] xs, int from, double[] panel, int at) {
        int n = sums.length;
        double x0 = xs[from];
        double x1 = xs[from + 1];
        double x2 = xs[from + 2];
        double x3 = xs[from + 3];
        for (int o = 0; o < n; o++) {
            sums[o] = sums[o] + x0 * panel[at + o] + x1 * panel[at + n + o] + x2 * panel[at + 2 * n + o] + x3 * panel[at + 3 * n + o];
        }
    }

    private void put(int i, long o, double sum) {
        y.setFloat(i * w.rows() + o, (float) (bias == null ? sum : sum + bias[(int) o]));
    }
}
