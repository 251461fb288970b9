package dev.t2l.backend;

import static java.lang.Math.max;

import dev.t2l.tensor.Elements;
import dev.t2l.tensor.HeadRows;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.ForkJoinPool;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * Every kernel as plain loops with double sums: the oracle of the other backends, and what runs where nothing native loads.
 * Rows are spread over threads; inside a row the order of sums is fixed.
 */
public final class JavaBackend extends HostBackend {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private final int threads = threads();
    private final ForkJoinPool pool = new ForkJoinPool(threads);
    private final Gradients gradients = new JavaGradients(this);

    @Override
    public String name() {
        return "java";
    }

    @Override
    public String description() {
        return "java (plain Java, " + threads + (threads == 1 ? " thread)" : " threads)");
    }

    @Override
    public Gradients gradients() {
        return gradients;
    }

    @Override
    public void close() {
        pool.shutdown();
    }

    void parallel(long n, long work, IntConsumer row) {
        if (threads == 1 || n < 2 || work < 20_000) {
            for (int i = 0; i < n; i++) {
                row.accept(i);
            }
        } else {
            pool.submit(() -> IntStream.range(0, (int) n).parallel().forEach(row)).join();
        }
    }

    static float at(Tensor t, long i) {
        return t.data().get(F32, i * 4);
    }

    static void set(Tensor t, long i, float value) {
        t.data().set(F32, i * 4, value);
    }

    static float[] row(Tensor t, long i) {
        float[] row = new float[(int) t.cols()];
        Elements.readRow(t, i, row, 0);
        return row;
    }

    static void store(float[] row, Tensor t, long i) {
        MemorySegment.copy(row, 0, t.data(), F32, i * t.cols() * 4, row.length);
    }

    // Rows

    @Override
    public void gather(Tensor out, long column, Tensor table, Tensor ids, float scale) {
        int d = (int) table.cols();
        parallel(ids.elements(), ids.elements() * d, i -> {
            float[] values = row(table, ids.getInt(i));
            for (int j = 0; j < d; j++) {
                set(out, i * out.cols() + column + j, values[j] * scale);
            }
        });
    }

    @Override
    public void scatter(Tensor out, Tensor x, Tensor index) {
        long bytes = x.cols() * 4;
        for (long i = 0; i < index.elements(); i++) {
            MemorySegment.copy(x.data(), i * bytes, out.data(), index.getInt(i) * bytes, bytes);
        }
    }

    @Override
    public void meanRows(Tensor out, Tensor x, Tensor ranges) {
        long d = x.cols();
        for (long s = 0; s < ranges.dim(0); s++) {
            int from = ranges.getInt(2 * s);
            int to = ranges.getInt(2 * s + 1);
            for (long j = 0; j < d; j++) {
                double sum = 0;
                for (long i = from; i < to; i++) {
                    sum += at(x, i * d + j);
                }
                set(out, s * d + j, (float) (sum / (to - from)));
            }
        }
    }

    // Element-wise

    @Override
    public void add(Tensor y, Tensor x, float alpha) {
        for (long i = 0; i < y.elements(); i++) {
            set(y, i, at(y, i) + alpha * at(x, i));
        }
    }

    @Override
    public void activation(Tensor out, Tensor x, Activation f) {
        parallel(x.rows(), x.elements() * 20, r -> {
            for (long i = r * x.cols(); i < (r + 1) * x.cols(); i++) {
                set(out, i, (float) apply(f, at(x, i)));
            }
        });
    }

    @Override
    public void gated(Tensor out, Tensor gate, Tensor up, Activation f) {
        parallel(gate.rows(), gate.elements() * 20, r -> {
            for (long i = r * gate.cols(); i < (r + 1) * gate.cols(); i++) {
                set(out, i, (float) (apply(f, at(gate, i)) * at(up, i)));
            }
        });
    }

    static double apply(Activation f, double x) {
        return switch (f) {
            case SILU -> x / (1 + Math.exp(-x));
            case GELU -> 0.5 * x * Erf.onePlusErf(x * Math.sqrt(0.5));
            case GELU_TANH -> 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
            case RELU -> max(x, 0);
        };
    }

    @Override
    public void softcap(Tensor x, float cap) {
        for (long i = 0; i < x.elements(); i++) {
            set(x, i, (float) (cap * Math.tanh(at(x, i) / cap)));
        }
    }

    // Norms

    @Override
    public void rmsNorm(Tensor out, Tensor x, Tensor weight, float eps, float weightOffset) {
        float[] w = weight.toFloats();
        parallel(x.rows(), x.elements(), r -> {
            float[] v = row(x, r);
            double squares = 0;
            for (float e : v) {
                squares += (double) e * e;
            }
            double factor = 1 / Math.sqrt(squares / v.length + eps);
            for (int j = 0; j < v.length; j++) {
                v[j] = (float) (v[j] * factor * (w[j] + weightOffset));
            }
            store(v, out, r);
        });
    }

    @Override
    public void layerNorm(Tensor out, Tensor x, Tensor weight, Tensor bias, float eps) {
        float[] w = weight.toFloats();
        float[] b = bias.toFloats();
        parallel(x.rows(), x.elements(), r -> {
            float[] v = row(x, r);
            double sum = 0;
            for (float e : v) {
                sum += e;
            }
            double mean = sum / v.length;
            double squares = 0;
            for (float e : v) {
                squares += (e - mean) * (e - mean);
            }
            double factor = 1 / Math.sqrt(squares / v.length + eps);
            for (int j = 0; j < v.length; j++) {
                v[j] = (float) ((v[j] - mean) * factor * w[j] + b[j]);
            }
            store(v, out, r);
        });
    }

    @Override
    public void l2Normalise(Tensor x, float scale) {
        for (long r = 0; r < x.rows(); r++) {
            float[] v = row(x, r);
            double squares = 0;
            for (float e : v) {
                squares += (double) e * e;
            }
            double factor = scale / max(Math.sqrt(squares), 1e-12);
            for (int j = 0; j < v.length; j++) {
                v[j] = (float) (v[j] * factor);
            }
            store(v, x, r);
        }
    }

    // Products

    @Override
    public void linear(Tensor y, Tensor x, Tensor w, Tensor bias) {
        var product = new JavaLinear(y, x, w, bias);
        parallel((w.rows() + JavaLinear.PANEL - 1) / JavaLinear.PANEL, x.rows() * w.elements(), product::piece);
    }

    /** In four sums, for the processor's sake. */
    private static double dot(double[] x, int offset, float[] w, int n) {
        double s0 = 0;
        double s1 = 0;
        double s2 = 0;
        double s3 = 0;
        int j = 0;
        for (; j + 3 < n; j += 4) {
            s0 += x[offset + j] * w[j];
            s1 += x[offset + j + 1] * w[j + 1];
            s2 += x[offset + j + 2] * w[j + 2];
            s3 += x[offset + j + 3] * w[j + 3];
        }
        for (; j < n; j++) {
            s0 += x[offset + j] * w[j];
        }
        return s0 + s1 + (s2 + s3);
    }

    @Override
    public void lora(Tensor y, Tensor x, LoraRows rows) {
        int perRow = (int) rows.slots().cols();
        parallel(x.rows(), x.rows() * (x.cols() + y.cols()) * 8L, i -> {
            double[] in = JavaLinear.doubles(row(x, i));
            for (int s = 0; s < perRow; s++) {
                int slot = rows.slots().getInt((long) i * perRow + s);
                if (slot < 0) {
                    break;
                }
                LoraRows.Factor f = rows.factors().get(slot);
                float weight = rows.weights().getFloat((long) i * perRow + s) * f.scale();
                if (weight != 0) {
                    addLora(y, i, in, f, weight, rows.headDim());
                }
            }
        });
    }

    @Override
    public void route(Tensor x, LoraRows rows) {
        var routing = new JavaRouting(x, rows);
        parallel(x.rows(), x.elements() * rows.slots().cols(), routing::row);
    }

    private static void addLora(Tensor y, long i, double[] x, LoraRows.Factor f, float weight, int headDim) {
        double[] low = new double[f.rank()];
        for (int k = 0; k < low.length; k++) {
            low[k] = dot(x, 0, row(f.a(), k), x.length);
        }
        long out = y.cols();
        for (long o = 0; o < out; o++) {
            double sum = 0;
            for (int k = 0; k < low.length; k++) {
                sum += low[k] * at(f.b(), o * low.length + k);
            }
            long at = i * out + HeadRows.neighbour(o, headDim);
            set(y, at, (float) (at(y, at) + weight * sum));
        }
    }

    @Override
    public void loraFactor(Tensor out, Tensor y, LoraFactor source, Tensor scale, Tensor shift) {
        long layers = out.dim(0);
        long r = out.dim(source.transposed() ? 2 : 1);
        long features = out.dim(source.transposed() ? 1 : 2);
        for (long l = 0; l < layers; l++) {
            for (long k = 0; k < r; k++) {
                for (long i = 0; i < features; i++) {
                    long to = source.transposed() ? (l * features + i) * r + k : (l * r + k) * features + i;
                    double v = at(y, source.start() + l * source.layerStride() + k * source.rankStride() + i);
                    v = scale == null ? v : v * at(scale, to);
                    set(out, to, (float) (shift == null ? v : v + at(shift, to)));
                }
            }
        }
    }

    // Attention

    @Override
    public void ropeAngles(Tensor out, Tensor positions, Tensor invFreq, float factor) {
        long h = invFreq.elements();
        for (long i = 0; i < positions.elements(); i++) {
            float position = positions.getInt(i);
            for (long j = 0; j < h; j++) {
                float angle = position * at(invFreq, j);
                set(out, i * 2 * h + j, (float) (factor * Math.cos(angle)));
                set(out, i * 2 * h + h + j, (float) (factor * Math.sin(angle)));
            }
        }
    }

    @Override
    public void rope(Tensor x, Tensor angles, boolean interleaved) {
        long d = angles.cols();
        long h = d / 2;
        long heads = x.cols() / d;
        for (long i = 0; i < x.rows(); i++) {
            for (long head = 0; head < heads; head++) {
                long base = i * x.cols() + head * d;
                for (long j = 0; j < h; j++) {
                    long first = base + (interleaved ? 2 * j : j);
                    long second = base + (interleaved ? 2 * j + 1 : j + h);
                    double cos = at(angles, i * d + j);
                    double sin = at(angles, i * d + h + j);
                    double a = at(x, first);
                    double b = at(x, second);
                    set(x, first, (float) (a * cos - b * sin));
                    set(x, second, (float) (b * cos + a * sin));
                }
            }
        }
    }

    @Override
    public void attention(Tensor out, Tensor q, Tensor k, Tensor v, Tensor ranges, AttentionSpec spec) {
        int heads = spec.heads();
        int d = spec.headDim();
        long kvCols = k.cols();
        parallel(q.rows() * heads, q.rows() * q.cols() * 64, task -> {
            long i = task / heads;
            long head = task % heads;
            long kvHead = head / (heads / spec.kvHeads()) * d;
            int to = ranges.getInt(2 * i + 1);
            int from = ranges.getInt(2 * i);
            from = spec.window() == 0 ? from : max(from, to - spec.window());
            float[] query = new float[d];
            MemorySegment.copy(q.data(), F32, (i * q.cols() + head * d) * 4, query, 0, d);
            double[] scores = new double[to - from];
            double max = Double.NEGATIVE_INFINITY;
            for (int t = from; t < to; t++) {
                double score = 0;
                for (int j = 0; j < d; j++) {
                    score += (double) query[j] * at(k, t * kvCols + kvHead + j);
                }
                score *= spec.scale();
                if (spec.softcap() != 0) {
                    score = spec.softcap() * Math.tanh(score / spec.softcap());
                }
                scores[t - from] = score;
                max = max(max, score);
            }
            double[] sums = new double[d];
            double total = 0;
            for (int t = from; t < to; t++) {
                double p = Math.exp(scores[t - from] - max);
                total += p;
                for (int j = 0; j < d; j++) {
                    sums[j] += p * at(v, t * kvCols + kvHead + j);
                }
            }
            for (int j = 0; j < d; j++) {
                set(out, i * q.cols() + head * d + j, (float) (sums[j] / total));
            }
        });
    }
}
