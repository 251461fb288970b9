package dev.t2l.backend;

import dev.t2l.backend.LoraRows.Factor;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Seeded inputs for tests of backward kernels. */
record TrainingData(KernelData data) {

    /** Adapters of spans of rows, and room for their gradients. */
    record Adapters(LoraGradients gradients) {

        /** The same adapters for the forward, each row with its span's or with none. */
        LoraRows rows(int n) {
            List<Factor> factors = gradients.factors();
            int[] slots = new int[n];
            Arrays.fill(slots, -1);
            for (int k = 0; k < factors.size(); k++) {
                Arrays.fill(slots, gradients.spans().getInt(2L * k), gradients.spans().getInt(2L * k + 1), k);
            }
            float[] ones = new float[n];
            Arrays.fill(ones, 1);
            return new LoraRows(factors, KernelData.table(factors), Tensor.ofInts(slots, n, 1), Tensor.ofFloats(ones, n, 1), gradients.headDim());
        }

        void clear() {
            for (Factor f : gradients.gradients()) {
                f.a().data().fill((byte) 0);
                f.b().data().fill((byte) 0);
            }
        }
    }

    Adapters adapters(long in, long out, int headDim, int[] ranks, int[][] spans) {
        List<Factor> factors = new ArrayList<>();
        List<Factor> gradients = new ArrayList<>();
        Tensor places = Tensor.allocate(Arena.ofAuto(), DType.I32, ranks.length, 2);
        int rows = 0;
        for (int k = 0; k < ranks.length; k++) {
            factors.add(new Factor(data.normal(ranks[k], in), data.normal(out, ranks[k]), ranks[k], 0.25f + k));
            gradients.add(new Factor(data.normal(ranks[k], in), data.normal(out, ranks[k]), ranks[k], 0.25f + k));
            places.setInt(2L * k, spans[k][0]);
            places.setInt(2L * k + 1, spans[k][1]);
            rows = Math.max(rows, spans[k][1] - spans[k][0]);
        }
        List<Factor> all = new ArrayList<>(factors);
        all.addAll(gradients);
        return new Adapters(new LoraGradients(factors, gradients, places, KernelData.table(all), rows, headDim));
    }

    /** Sequences of these lengths, one after the other. */
    static Gradients.AttentionRows sequences(boolean causal, int... lengths) {
        int n = Arrays.stream(lengths).sum();
        int[] ranges = new int[2 * n];
        int[] seen = new int[2 * n];
        int start = 0;
        for (int length : lengths) {
            for (int i = start; i < start + length; i++) {
                ranges[2 * i] = start;
                ranges[2 * i + 1] = causal ? i + 1 : start + length;
                seen[2 * i] = causal ? i : start;
                seen[2 * i + 1] = start + length;
            }
            start += length;
        }
        return new Gradients.AttentionRows(Tensor.ofInts(ranges, n, 2), Tensor.ofInts(seen, n, 2));
    }
}
