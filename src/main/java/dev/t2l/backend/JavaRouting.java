package dev.t2l.backend;

import dev.t2l.tensor.Tensor;

/** {@link Backend#route} in plain loops, a row at a time. Scores wait where the weights will be. */
final class JavaRouting {
    private final LoraRows rows;
    private final Tensor x;
    private final int perRow;

    JavaRouting(Tensor x, LoraRows rows) {
        this.rows = rows;
        this.x = x;
        this.perRow = Math.toIntExact(rows.slots().cols());
    }

    void row(long i) {
        Tensor weights = rows.weights();
        Tensor given = rows.routing().given();
        long from = i * perRow;
        int wanted = (int) rows.routing().choices().getFloat(2 * i);
        if (wanted == 0) {
            for (int s = 0; s < perRow; s++) {
                weights.setFloat(from + s, given.getFloat(from + s));
            }
            return;
        }
        int length = scores(i, from);
        float best = Float.NaN;
        float last = Float.POSITIVE_INFINITY;
        int lastAt = -1;
        for (int round = 0; round < wanted; round++) {
            int next = next(from, length, last, lastAt);
            if (next < 0) {
                break;
            }
            last = weights.getFloat(from + next);
            lastAt = next;
            best = round == 0 ? last : best;
        }
        double temperature = rows.routing().choices().getFloat(2 * i + 1);
        double sum = 0;
        for (int s = 0; s < length; s++) {
            float score = weights.getFloat(from + s);
            sum += chosen(score, s, last, lastAt) ? Math.exp(((double) score - best) / temperature) : 0;
        }
        for (int s = 0; s < length; s++) {
            float score = weights.getFloat(from + s);
            double share = chosen(score, s, last, lastAt) ? Math.exp(((double) score - best) / temperature) / sum : 0;
            weights.setFloat(from + s, (float) (given.getFloat(from + s) * share));
        }
    }

    /** Writes the scores of a row's list; its length. */
    private int scores(long i, long from) {
        int length = 0;
        for (; length < perRow; length++) {
            int slot = rows.slots().getInt(from + length);
            if (slot < 0) {
                break;
            }
            Tensor prototype = rows.routing().prototypes().get(slot);
            double dot = 0;
            for (long j = 0; j < x.cols(); j++) {
                dot += (double) prototype.getFloat(j) * x.getFloat(i * x.cols() + j);
            }
            rows.weights().setFloat(from + length, (float) Math.abs(dot));
        }
        return length;
    }

    /** The entry with the best score after another one, in the order of scores and then places; -1 if there is none. */
    private int next(long from, int length, float last, int lastAt) {
        int best = -1;
        for (int s = 0; s < length; s++) {
            float score = rows.weights().getFloat(from + s);
            boolean after = score < last || score == last && s > lastAt;
            if (after && (best < 0 || score > rows.weights().getFloat(from + best))) {
                best = s;
            }
        }
        return best;
    }

    private static boolean chosen(float score, int at, float last, int lastAt) {
        return lastAt >= 0 && (score > last || score == last && at <= lastAt);
    }
}
