package dev.t2l.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.api.Test;

class ReconstructionSamplerTest {
    private static final List<Integer> DESCRIPTIONS = List.of(4, 1, 2, 9, 3, 5, 6);

    @Test
    void anEpochIsAPermutation() {
        var sampler = new ReconstructionSampler(DESCRIPTIONS, 3, 2, 11);
        assertEquals(3, sampler.stepsPerEpoch());
        List<List<Integer>> epochs = new ArrayList<>();
        for (int epoch = 0; epoch < 3; epoch++) {
            List<Integer> seen = new ArrayList<>();
            for (int b = 0; b < 3; b++) {
                Reconstruction.Batch batch = sampler.batch(3L * epoch + b);
                int[] tasks = Arrays.stream(batch.tasks()).distinct().toArray();
                assertEquals(b < 2 ? 3 : 1, tasks.length, "the last batch is smaller");
                Arrays.stream(tasks).forEach(seen::add);
            }
            assertEquals(DESCRIPTIONS.size(), new HashSet<>(seen).size());
            epochs.add(seen);
        }
        assertFalse(epochs.get(0).equals(epochs.get(1)) && epochs.get(1).equals(epochs.get(2)), "epochs differ");
    }

    @Test
    void descriptionsAreASubset() {
        for (int perTask : new int[] {0, 1, 3}) {
            var sampler = new ReconstructionSampler(DESCRIPTIONS, 7, perTask, 11);
            for (long t = 0; t < 20; t++) {
                Reconstruction.Batch batch = sampler.batch(t);
                for (int task = 0; task < DESCRIPTIONS.size(); task++) {
                    HashSet<Integer> rows = new HashSet<>();
                    int first = -1;
                    for (int i = 0; i < batch.tasks().length; i++) {
                        if (batch.tasks()[i] == task) {
                            assertTrue(first < 0 || batch.tasks()[i - 1] == task, "one after another");
                            first = i;
                            assertTrue(rows.add(batch.descriptions()[i]), "without replacement");
                            assertTrue(batch.descriptions()[i] < DESCRIPTIONS.get(task));
                        }
                    }
                    assertEquals(perTask == 0 ? DESCRIPTIONS.get(task) : Math.min(perTask, DESCRIPTIONS.get(task)), rows.size());
                }
            }
        }
    }

    /** Every description of a task comes, about as often. */
    @Test
    void descriptionsAreUniform() {
        var sampler = new ReconstructionSampler(List.of(6), 1, 2, 3);
        int[] counts = new int[6];
        for (long t = 0; t < 3000; t++) {
            Arrays.stream(sampler.batch(t).descriptions()).forEach(d -> counts[d]++);
        }
        assertTrue(Arrays.stream(counts).allMatch(c -> Math.abs(c - 1000) < 130), Arrays.toString(counts));
    }

    @Test
    void aFunctionOfSeedAndStep() {
        var sampler = new ReconstructionSampler(DESCRIPTIONS, 3, 1, 11);
        assertArrayEquals(sampler.batch(5).tasks(), new ReconstructionSampler(DESCRIPTIONS, 3, 1, 11).batch(5).tasks());
        assertArrayEquals(sampler.batch(5).descriptions(), new ReconstructionSampler(DESCRIPTIONS, 3, 1, 11).batch(5).descriptions());
        boolean same = true;
        for (long t = 0; t < 6; t++) {
            same &= Arrays.equals(sampler.batch(t).tasks(), new ReconstructionSampler(DESCRIPTIONS, 3, 1, 12).batch(t).tasks());
        }
        assertFalse(same);
        assertThrows(IllegalArgumentException.class, () -> new ReconstructionSampler(DESCRIPTIONS, 0, 1, 1));
    }
}
