package dev.t2l.train;

import dev.t2l.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * Sequences of one pass of training, packed: rows are tokens, one sequence after another, without padding. A row sees its own sequence
 * up to itself, and its label is the sequence's next one. Rows behind a sequence's last label are left out, for nothing depends on them.
 *
 * <p>Immutable; its tensors lie on the host.
 */
public final class TrainingBatch {
    /** The label of a token that is not to be predicted, as in transformers. */
    public static final int IGNORED = -100;

    private static final int PADDED_TO = 8;

    /**
     * A sequence.
     *
     * @param ids     its tokens
     * @param labels  as many: the token itself where it is to be predicted, else {@link #IGNORED}; the first one is never predicted
     * @param adapter index of the adapter that acts on it
     * @param weight  its share of the step's loss, which its predicted tokens bear equally; 1 / number of samples weighs all samples the same
     */
    public record Sample(int[] ids, int[] labels, int adapter, float weight) {
        /** @throws IllegalArgumentException if nothing is to be predicted, or the numbers make no sense */
        public Sample {
            if (ids.length != labels.length) {
                throw new IllegalArgumentException("a sample has " + ids.length + " tokens, but " + labels.length + " labels");
            }
            if (adapter < 0 || !(weight >= 0) || Float.isInfinite(weight)) {
                throw new IllegalArgumentException("a sample's adapter is an index and its weight finite, got adapter " + adapter + ", weight " + weight);
            }
            for (int i = 0; i < ids.length; i++) {
                if (ids[i] < 0 || labels[i] < 0 && labels[i] != IGNORED) {
                    throw new IllegalArgumentException("token " + i + " of a sample is " + ids[i] + ", its label " + labels[i] + "; only labels may be negative: " + IGNORED);
                }
            }
            if (predicted(labels) == 0) {
                throw new IllegalArgumentException("a sample of " + ids.length + " tokens has no label to predict; HINT: was the response cut off? Leave such samples out");
            }
        }

        private static int predicted(int[] labels) {
            int count = 0;
            for (int i = 1; i < labels.length; i++) {
                count += labels[i] == IGNORED ? 0 : 1;
            }
            return count;
        }

        /** Rows of this sample in a batch: those before its last label. */
        int rows() {
            int last = labels.length - 1;
            while (labels[last] == IGNORED) {
                last--;
            }
            return last;
        }
    }

    /** What the rows are; i32 [n], {@code ranges} and {@code seen} [n, 2] as in {@link dev.t2l.backend.Gradients#attentionBackward}. */
    record Rows(Tensor ids, Tensor positions, Tensor negatedPositions, Tensor ranges, Tensor seen, Tensor adapters) {
    }

    /** The rows that predict: which ones, what, and their weights in the loss; i32 [m], i32 [m], f32 [m]. */
    record Predictions(Tensor index, Tensor labels, Tensor weights) {
    }

    private final Rows rows;
    private final Predictions predictions;
    private final int[] ends; // by adapter: first row behind its span
    private final int paddedLength;
    private final int largestId;

    private TrainingBatch(List<Sample> samples, int paddedLength) {
        var fill = new Filling(samples.stream().mapToInt(Sample::rows).sum(), samples.stream().mapToInt(s -> Sample.predicted(s.labels())).sum());
        ends = new int[samples.getLast().adapter() + 1];
        for (Sample sample : samples) {
            fill.add(sample);
            Arrays.fill(ends, sample.adapter(), ends.length, fill.n);
        }
        this.paddedLength = paddedLength;
        largestId = Math.max(Arrays.stream(fill.ids).max().orElseThrow(), Arrays.stream(fill.labels).max().orElseThrow());
        rows = fill.rows();
        predictions = fill.predictions();
    }

    /**
     * Packs samples; those of one adapter side by side.
     *
     * @throws IllegalArgumentException if there is none
     */
    public static TrainingBatch of(List<Sample> samples) {
        return of(samples, paddedLength(samples));
    }

    /**
     * The same for a part of a step's samples.
     *
     * @param paddedLength of all samples of the step
     */
    public static TrainingBatch of(List<Sample> samples, int paddedLength) {
        if (samples.isEmpty()) {
            throw new IllegalArgumentException("a batch without a sample");
        }
        List<Sample> ordered = new ArrayList<>(samples);
        ordered.sort(Comparator.comparingInt(Sample::adapter));
        return new TrainingBatch(ordered, paddedLength);
    }

    /** Length of the longest sample, rounded up to a multiple of 8: what the reference pads to, and NEFTune's noise depends on. */
    public static int paddedLength(List<Sample> samples) {
        int longest = samples.stream().mapToInt(s -> s.ids().length).max().orElse(0);
        return (longest + PADDED_TO - 1) / PADDED_TO * PADDED_TO;
    }

    /** Tokens that a pass computes, n. */
    public int rows() {
        return Math.toIntExact(rows.ids().elements());
    }

    /** Tokens that are predicted, m. */
    public int predicted() {
        return Math.toIntExact(predictions.index().elements());
    }

    /** One more than the largest index of an adapter. */
    public int adapters() {
        return ends.length;
    }

    /** See {@link #paddedLength(List)}. */
    public int paddedLength() {
        return paddedLength;
    }

    Rows inputs() {
        return rows;
    }

    Predictions predictions() {
        return predictions;
    }

    /** First row of an adapter's span; spans of adapters without rows are empty. */
    int from(int adapter) {
        return adapter == 0 ? 0 : to(adapter - 1);
    }

    /** First row behind an adapter's span. */
    int to(int adapter) {
        return adapter < ends.length ? ends[adapter] : rows();
    }

    void requireFits(int vocabulary) {
        if (largestId >= vocabulary) {
            throw new IllegalArgumentException("token id " + largestId + " is outside the vocabulary of " + vocabulary);
        }
    }

    /** The arrays in the making. */
    private static final class Filling {
        private final int[] ids;
        private final int[] positions;
        private final int[] negatedPositions;
        private final int[] ranges;
        private final int[] seen;
        private final int[] adapters;
        private final int[] index;
        private final int[] labels;
        private final float[] weights;
        private int n;
        private int m;

        Filling(int rows, int predicted) {
            ids = new int[rows];
            positions = new int[rows];
            negatedPositions = new int[rows];
            ranges = new int[2 * rows];
            seen = new int[2 * rows];
            adapters = new int[rows];
            index = new int[predicted];
            labels = new int[predicted];
            weights = new float[predicted];
        }

        void add(Sample sample) {
            int first = n;
            int end = first + sample.rows();
            float share = sample.weight() / Sample.predicted(sample.labels());
            for (int p = 0; n < end; n++, p++) {
                ids[n] = sample.ids()[p];
                positions[n] = p;
                negatedPositions[n] = -p;
                ranges[2 * n] = first;
                ranges[2 * n + 1] = n + 1;
                seen[2 * n] = n;
                seen[2 * n + 1] = end;
                adapters[n] = sample.adapter();
                int label = sample.labels()[p + 1];
                if (label != IGNORED) {
                    index[m] = n;
                    labels[m] = label;
                    weights[m++] = share;
                }
            }
        }

        Rows rows() {
            int rows = ids.length;
            return new Rows(Tensor.ofInts(ids, rows), Tensor.ofInts(positions, rows), Tensor.ofInts(negatedPositions, rows),
                    Tensor.ofInts(ranges, rows, 2), Tensor.ofInts(seen, rows, 2), Tensor.ofInts(adapters, rows, 1));
        }

        Predictions predictions() {
            return new Predictions(Tensor.ofInts(index, m), Tensor.ofInts(labels, m), Tensor.ofFloats(weights, m));
        }
    }
}
