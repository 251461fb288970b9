package dev.t2l.train;

import dev.t2l.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;

/** Samples out of golden files. */
final class Samples {
    private Samples() {
    }

    /** Rows of i64 [S, L] as samples of equal weight; padding, which has no label, needs no care. */
    static List<TrainingBatch.Sample> of(Tensor ids, Tensor labels, IntUnaryOperator adapter) {
        int count = Math.toIntExact(ids.rows());
        List<TrainingBatch.Sample> samples = new ArrayList<>();
        for (int s = 0; s < count; s++) {
            samples.add(new TrainingBatch.Sample(row(ids, s), row(labels, s), adapter.applyAsInt(s), 1f / count));
        }
        return samples;
    }

    private static int[] row(Tensor i64, int row) {
        int[] values = new int[Math.toIntExact(i64.cols())];
        for (int c = 0; c < values.length; c++) {
            values[c] = Math.toIntExact(i64.data().get(ValueLayout.JAVA_LONG_UNALIGNED, 8L * ((long) row * values.length + c)));
        }
        return values;
    }
}
