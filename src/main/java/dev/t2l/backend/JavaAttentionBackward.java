package dev.t2l.backend;

import static dev.t2l.backend.JavaBackend.at;
import static dev.t2l.backend.JavaBackend.set;

import dev.t2l.tensor.Tensor;

/**
 * {@link Gradients#attentionBackward} (Dao 2023, section 2.3). With p the probabilities and dp = dout v^T: ds = p * (dp - delta), delta the
 * row's dout . out; then dq = scale ds k, dk = scale ds^T q, dv = p^T dout.
 */
final class JavaAttentionBackward {
    private final Tensor dq;
    private final Tensor dk;
    private final Tensor dv;
    private final Tensor dout;
    private final Tensor out;
    private final Tensor q;
    private final Tensor k;
    private final Tensor v;
    private final Gradients.AttentionRows rows;
    private final AttentionSpec spec;
    private final int d;
    private final int group;
    private final double[] log;   // [n, heads]: log of a row's sum of exponentials
    private final double[] delta; // [n, heads]

    JavaAttentionBackward(Tensor dq, Tensor dk, Tensor dv, Tensor dout, Tensor out, Tensor q, Tensor k, Tensor v, Gradients.AttentionRows rows,
            AttentionSpec spec) {
        this.dq = dq;
        this.dk = dk;
        this.dv = dv;
        this.dout = dout;
        this.out = out;
        this.q = q;
        this.k = k;
        this.v = v;
        this.rows = rows;
        this.spec = spec;
        d = spec.headDim();
        group = spec.heads() / spec.kvHeads();
        log = new double[(int) q.rows() * spec.heads()];
        delta = new double[log.length];
    }

    void run(JavaBackend backend) {
        long work = q.elements() * 64;
        backend.parallel(q.rows() * spec.heads(), work, task -> query(task / spec.heads(), task % spec.heads()));
        backend.parallel(q.rows() * spec.kvHeads(), work, task -> key(task / spec.kvHeads(), task % spec.kvHeads()));
    }

    private static double dot(Tensor a, long i, Tensor b, long j, int n) {
        double sum = 0;
        for (int e = 0; e < n; e++) {
            sum += (double) at(a, i + e) * at(b, j + e);
        }
        return sum;
    }

    private long queryAt(long i, int head) {
        return (i * spec.heads() + head) * d;
    }

    private long keyAt(long t, int kvHead) {
        return (t * spec.kvHeads() + kvHead) * d;
    }

    private double score(long i, long t, int head) {
        double s = spec.scale() * dot(q, queryAt(i, head), k, keyAt(t, head / group), d);
        return spec.softcap() == 0 ? s : spec.softcap() * Math.tanh(s / spec.softcap());
    }

    /** Gradient of the product q k, of a pair with this capped score. */
    private double through(long i, long t, int head, double score) {
        double p = Math.exp(score - log[(int) i * spec.heads() + head]);
        double dp = dot(dout, queryAt(i, head), v, keyAt(t, head / group), d);
        double ds = p * (dp - delta[(int) i * spec.heads() + head]) * spec.scale();
        double capped = spec.softcap() == 0 ? 0 : score / spec.softcap();
        return ds * (1 - capped * capped);
    }

    private void query(long i, int head) {
        int to = rows.ranges().getInt(2 * i + 1);
        int from = Math.max(rows.ranges().getInt(2 * i), spec.window() == 0 ? 0 : to - spec.window());
        double[] scores = new double[to - from];
        double max = Double.NEGATIVE_INFINITY;
        for (int t = from; t < to; t++) {
            scores[t - from] = score(i, t, head);
            max = Math.max(max, scores[t - from]);
        }
        double total = 0;
        for (double s : scores) {
            total += Math.exp(s - max);
        }
        int at = (int) i * spec.heads() + head;
        log[at] = max + Math.log(total);
        delta[at] = dot(dout, queryAt(i, head), out, queryAt(i, head), d);
        double[] sums = new double[d];
        for (int t = from; t < to; t++) {
            double g = through(i, t, head, scores[t - from]);
            for (int e = 0; e < d; e++) {
                sums[e] += g * at(k, keyAt(t, head / group) + e);
            }
        }
        for (int e = 0; e < d; e++) {
            set(dq, queryAt(i, head) + e, (float) sums[e]);
        }
    }

    private void key(long t, int kvHead) {
        double[] keys = new double[d];
        double[] values = new double[d];
        for (int i = rows.seen().getInt(2 * t); i < rows.seen().getInt(2 * t + 1); i++) {
            if (spec.window() != 0 && t < rows.ranges().getInt(2L * i + 1) - spec.window()) {
                continue;
            }
            for (int head = kvHead * group; head < (kvHead + 1) * group; head++) {
                double score = score(i, t, head);
                double p = Math.exp(score - log[i * spec.heads() + head]);
                double g = through(i, t, head, score);
                for (int e = 0; e < d; e++) {
                    keys[e] += g * at(q, queryAt(i, head) + e);
                    values[e] += p * at(dout, queryAt(i, head) + e);
                }
            }
        }
        for (int e = 0; e < d; e++) {
            set(dk, keyAt(t, kvHead) + e, (float) keys[e]);
            set(dv, keyAt(t, kvHead) + e, (float) values[e]);
        }
    }
}
