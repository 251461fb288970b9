package dev.t2l.backend;

import static dev.t2l.backend.JavaBackend.at;
import static dev.t2l.backend.JavaBackend.row;
import static dev.t2l.backend.JavaBackend.set;
import static dev.t2l.backend.JavaBackend.store;

import dev.t2l.tensor.Elements;
import dev.t2l.tensor.HeadRows;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.ValueLayout;

/** {@link Gradients} as plain loops with double sums: the oracle, itself proved by finite differences. */
final class JavaGradients implements Gradients {
    private final JavaBackend backend;

    JavaGradients(JavaBackend backend) {
        this.backend = backend;
    }

    private static void add(Tensor t, long i, double value) {
        set(t, i, (float) (at(t, i) + value));
    }

    private static void put(Tensor t, long i, double value, boolean add) {
        set(t, i, (float) (add ? at(t, i) + value : value));
    }

    // Products

    @Override
    public void linearBackward(Tensor dx, Tensor dy, Tensor w, boolean add) {
        int in = (int) w.cols();
        backend.parallel(dy.rows(), dy.rows() * w.elements(), i -> {
            double[] sums = new double[in];
            for (long o = 0; o < w.rows(); o++) {
                axpy(sums, at(dy, i * dy.cols() + o), row(w, o));
            }
            for (int j = 0; j < in; j++) {
                put(dx, (long) i * in + j, sums[j], add);
            }
        });
    }

    @Override
    public void linearGradient(Tensor dw, Tensor dbias, Tensor dy, Tensor x) {
        outer(dw, dy, x);
        if (dbias != null) {
            for (long o = 0; o < dbias.elements(); o++) {
                double sum = 0;
                for (long i = 0; i < dy.rows(); i++) {
                    sum += at(dy, i * dy.cols() + o);
                }
                add(dbias, o, sum);
            }
        }
    }

    /** {@code dw += dy^T x}. */
    private void outer(Tensor dw, Tensor dy, Tensor x) {
        backend.parallel(dw.rows(), x.rows() * dw.elements(), o -> {
            double[] sums = new double[(int) dw.cols()];
            for (long i = 0; i < x.rows(); i++) {
                axpy(sums, at(dy, i * dy.cols() + o), row(x, i));
            }
            for (int j = 0; j < sums.length; j++) {
                add(dw, (long) o * sums.length + j, sums[j]);
            }
        });
    }

    private static void axpy(double[] y, double alpha, float[] x) {
        if (alpha != 0) {
            for (int j = 0; j < y.length; j++) {
                y[j] += alpha * x[j];
            }
        }
    }

    @Override
    public void loraBackward(Tensor dx, Tensor dy, Tensor x, LoraGradients lora) {
        fill(dx, 0);
        for (int k = 0; k < lora.factors().size(); k++) {
            int from = lora.spans().getInt(2L * k);
            int to = lora.spans().getInt(2L * k + 1);
            span(dx.slice(from, to), inOrder(dy.slice(from, to), lora.headDim()), x.slice(from, to), lora.factors().get(k), lora.gradients().get(k));
        }
    }

    /** A copy whose columns lie as B's rows do. */
    private static Tensor inOrder(Tensor dy, int headDim) {
        Tensor copy = Tensor.ofFloats(dy.toFloats(), dy.shape());
        long out = dy.cols();
        for (long i = 0; headDim != 0 && i < dy.elements(); i++) {
            set(copy, i, at(dy, i / out * out + HeadRows.neighbour(i % out, headDim)));
        }
        return copy;
    }

    private void span(Tensor dx, Tensor dy, Tensor x, LoraRows.Factor f, LoraRows.Factor gradient) {
        int n = (int) x.rows();
        Tensor t = Tensor.ofFloats(new float[n * f.rank()], n, f.rank());   // dy B
        Tensor low = Tensor.ofFloats(new float[n * f.rank()], n, f.rank()); // x A^T
        linearBackward(t, dy, f.b(), false);
        backend.linear(low, x, f.a(), null);
        for (long i = 0; i < t.elements(); i++) {
            set(t, i, f.scale() * at(t, i));
            set(low, i, f.scale() * at(low, i));
        }
        linearBackward(dx, t, f.a(), false);
        outer(gradient.a(), t, x);
        outer(gradient.b(), dy, low);
    }

    @Override
    public void loraFactorBackward(Tensor dy, Tensor dout, LoraFactor source, Tensor scale) {
        long layers = dout.dim(0);
        long r = dout.dim(source.transposed() ? 2 : 1);
        long features = dout.dim(source.transposed() ? 1 : 2);
        for (long l = 0; l < layers; l++) {
            for (long k = 0; k < r; k++) {
                for (long i = 0; i < features; i++) {
                    long from = source.transposed() ? (l * features + i) * r + k : (l * r + k) * features + i;
                    double v = scale == null ? at(dout, from) : (double) at(dout, from) * at(scale, from);
                    set(dy, source.start() + l * source.layerStride() + k * source.rankStride() + i, (float) v);
                }
            }
        }
    }

    // Element-wise

    @Override
    public void activationBackward(Tensor dx, Tensor dy, Tensor x, Activation f) {
        for (long i = 0; i < x.elements(); i++) {
            set(dx, i, (float) (at(dy, i) * slope(f, at(x, i))));
        }
    }

    @Override
    public void gatedBackward(Tensor dgate, Tensor dup, Tensor dy, Tensor gate, Tensor up, Activation f) {
        for (long i = 0; i < gate.elements(); i++) {
            float g = at(gate, i);
            double whole = at(dy, i);
            float u = at(up, i);
            set(dgate, i, (float) (whole * u * slope(f, g)));
            set(dup, i, (float) (whole * JavaBackend.apply(f, g)));
        }
    }

    /** f'(x). */
    private static double slope(Activation f, double x) {
        return switch (f) {
            case SILU -> {
                double s = 1 / (1 + Math.exp(-x));
                yield s * (1 + x * (1 - s));
            }
            case GELU -> 0.5 * Erf.onePlusErf(x * Math.sqrt(0.5)) + x * Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
            case GELU_TANH -> {
                double c = Math.sqrt(2 / Math.PI);
                double t = Math.tanh(c * (x + 0.044715 * x * x * x));
                yield 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
            }
            case RELU -> x > 0 ? 1 : 0;
        };
    }

    @Override
    public void softcapBackward(Tensor dy, Tensor y, float cap) {
        for (long i = 0; i < y.elements(); i++) {
            double t = at(y, i) / cap;
            set(dy, i, (float) (at(dy, i) * (1 - t * t)));
        }
    }

    @Override
    public void fill(Tensor x, float value) {
        for (long i = 0; i < x.elements(); i++) {
            set(x, i, value);
        }
    }

    @Override
    public void convert(Tensor out, Tensor x) {
        float[] values = x.toFloats();
        for (int i = 0; i < values.length; i++) {
            switch (out.dtype()) {
                case F32 -> set(out, i, values[i]);
                case F16 -> out.data().set(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * i, Float.floatToFloat16(values[i]));
                case BF16 -> out.data().set(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * i, Elements.floatToBfloat16(values[i]));
                default -> throw new IllegalArgumentException("convert: wanted F32, F16 or BF16, got " + out);
            }
        }
    }

    @Override
    public void dropout(Tensor out, Tensor x, float p, long seed) {
        int threshold = Noise.threshold(p);
        float factor = 1 / (1 - p);
        for (long i = 0; i < x.elements(); i++) {
            set(out, i, Noise.keep(seed, i, threshold) ? at(x, i) * factor : 0);
        }
    }

    @Override
    public void addNoise(Tensor x, Tensor magnitude, long seed) {
        for (long i = 0; i < x.elements(); i++) {
            set(x, i, at(x, i) + at(magnitude, i / x.cols()) * Noise.uniform(seed, i));
        }
    }

    // Rows

    @Override
    public void scatterAdd(Tensor dtable, Tensor dy, long column, Tensor ids, float scale) {
        long d = dtable.cols();
        for (long i = 0; i < ids.elements(); i++) {
            for (long j = 0; j < d; j++) {
                add(dtable, ids.getInt(i) * d + j, scale * at(dy, i * dy.cols() + column + j));
            }
        }
    }

    // Norms

    @Override
    public void rmsNormBackward(Tensor dx, Tensor dy, Tensor x, Norm norm, boolean add) {
        float[] w = norm.weight().toFloats();
        backend.parallel(x.rows(), x.elements() * 4, r -> {
            float[] v = row(x, r);
            float[] g = row(dy, r);
            int d = v.length;
            double squares = 0;
            double dot = 0;
            for (int j = 0; j < d; j++) {
                squares += (double) v[j] * v[j];
                dot += (double) v[j] * g[j] * (w[j] + norm.weightOffset());
            }
            double factor = 1 / Math.sqrt(squares / d + norm.eps());
            double pull = dot * factor * factor * factor / d;
            for (int j = 0; j < d; j++) {
                put(dx, (long) r * d + j, g[j] * (w[j] + norm.weightOffset()) * factor - v[j] * pull, add);
            }
        });
    }

    @Override
    public void layerNormBackward(Tensor dx, Tensor dweight, Tensor dbias, Tensor dy, Tensor x, Tensor weight, float eps, boolean add) {
        float[] w = weight.toFloats();
        int d = w.length;
        double[] dw = new double[d];
        double[] db = new double[d];
        for (int r = 0; r < x.rows(); r++) {
            float[] g = row(dy, r);
            double[] normed = new double[d];
            double factor = normalise(row(x, r), normed, eps);
            double sum = 0;
            double dot = 0;
            for (int j = 0; j < d; j++) {
                sum += (double) g[j] * w[j];
                dot += (double) g[j] * w[j] * normed[j];
                dw[j] += g[j] * normed[j];
                db[j] += g[j];
            }
            for (int j = 0; j < d; j++) {
                put(dx, (long) r * d + j, factor * ((double) g[j] * w[j] - sum / d - normed[j] * dot / d), add);
            }
        }
        if (dweight != null) {
            for (int j = 0; j < d; j++) {
                add(dweight, j, dw[j]);
                add(dbias, j, db[j]);
            }
        }
    }

    /** Mean 0, variance 1; returns 1 / the deviation. */
    private static double normalise(float[] v, double[] normed, float eps) {
        double mean = 0;
        for (float e : v) {
            mean += e;
        }
        mean /= v.length;
        double squares = 0;
        for (float e : v) {
            squares += (e - mean) * (e - mean);
        }
        double factor = 1 / Math.sqrt(squares / v.length + eps);
        for (int j = 0; j < v.length; j++) {
            normed[j] = (v[j] - mean) * factor;
        }
        return factor;
    }

    // Attention

    @Override
    public void attentionBackward(Tensor dq, Tensor dk, Tensor dv, Tensor dout, Tensor out, Tensor q, Tensor k, Tensor v, AttentionRows rows,
            AttentionSpec spec) {
        new JavaAttentionBackward(dq, dk, dv, dout, out, q, k, v, rows, spec).run(backend);
    }

    // Losses

    @Override
    public void crossEntropy(Tensor loss, Tensor logits, Tensor labels, Tensor weight, float smoothing) {
        int vocabulary = (int) logits.cols();
        backend.parallel(logits.rows(), logits.elements() * 20, i -> {
            int label = labels.getInt(i);
            float[] row = row(logits, i);
            if (label < 0) {
                set(loss, i, 0);
                store(new float[vocabulary], logits, i);
                return;
            }
            double max = Double.NEGATIVE_INFINITY;
            double sum = 0;
            for (float x : row) {
                max = Math.max(max, x);
                sum += x;
            }
            double total = 0;
            for (float x : row) {
                total += Math.exp(x - max);
            }
            double log = max + Math.log(total);
            double of = at(weight, i);
            set(loss, i, (float) (of * ((1 - smoothing) * (log - row[label]) + smoothing * (log - sum / vocabulary))));
            for (int c = 0; c < vocabulary; c++) {
                double target = smoothing / vocabulary + (c == label ? 1 - smoothing : 0);
                row[c] = (float) (of * (Math.exp(row[c] - log) - target));
            }
            store(row, logits, i);
        });
    }

    @Override
    public void distance(Tensor loss, Tensor dx, Tensor x, Tensor target, float weight, boolean squared) {
        double sum = 0;
        for (long i = 0; i < x.elements(); i++) {
            double gap = (double) at(x, i) - at(target, i);
            sum += squared ? gap * gap : Math.abs(gap);
            set(dx, i, (float) (weight * (squared ? 2 * gap : Math.signum(gap))));
        }
        add(loss, 0, weight * sum);
    }

    @Override
    public void sumSquares(Tensor out, long at, Tensor x) {
        double sum = 0;
        for (long i = 0; i < x.elements(); i++) {
            sum += (double) at(x, i) * at(x, i);
        }
        set(out, at, (float) sum);
    }

    // Optimiser

    @Override
    public void adamW(Tensor w, Tensor g, Tensor m, Tensor v, AdamW step) {
        double first = 1 - Math.pow(step.beta1(), step.step());
        double second = 1 - Math.pow(step.beta2(), step.step());
        for (long i = 0; i < w.elements(); i++) {
            double gradient = (double) at(g, i) * step.gradScale();
            double mean = (double) step.beta1() * at(m, i) + (1 - step.beta1()) * gradient;
            double square = (double) step.beta2() * at(v, i) + (1 - step.beta2()) * gradient * gradient;
            set(m, i, (float) mean);
            set(v, i, (float) square);
            double decayed = at(w, i) * (1 - (double) step.rate() * step.weightDecay());
            set(w, i, (float) (decayed - step.rate() * (mean / first) / (Math.sqrt(square / second) + step.eps())));
        }
    }
}
