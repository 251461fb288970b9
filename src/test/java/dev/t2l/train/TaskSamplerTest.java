package dev.t2l.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.train.PromptFormat.Tokens;
import dev.t2l.train.TaskSampler.Draw;
import dev.t2l.train.TaskSampler.Size;
import dev.t2l.train.TrainingConfig.Batch;
import dev.t2l.train.TrainingConfig.Sampling;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class TaskSamplerTest {
    private static TaskSampler sampler(int tasks, int perBatch, int points, Sampling sampling, long seed) {
        return new TaskSampler(Collections.nCopies(tasks, new Size(5, 3)), new Batch(perBatch, points, 1, sampling, 0), seed);
    }

    @Test
    void anEpochIsAPermutationWhoseRestIsDropped() {
        TaskSampler sampler = sampler(11, 3, 2, Sampling.EPOCHS, 1);
        assertEquals(3, sampler.stepsPerEpoch());
        List<Set<Integer>> epochs = new ArrayList<>();
        for (int epoch = 0; epoch < 2; epoch++) {
            Set<Integer> seen = new HashSet<>();
            for (int b = 0; b < 3; b++) {
                for (int task : sampler.tasks(epoch * 3L + b)) {
                    assertTrue(seen.add(task), "twice in an epoch");
                }
                assertEquals(6, sampler.draws(epoch * 3L + b).size());
            }
            epochs.add(seen);
        }
        assertEquals(9, epochs.getFirst().size());
    }

    @Test
    void drawsAreAFunctionOfSeedAndStep() {
        TaskSampler sampler = sampler(20, 4, 1, Sampling.UNIFORM, 7);
        List<Draw> later = sampler.draws(100);
        sampler.draws(3);
        assertEquals(later, sampler(20, 4, 1, Sampling.UNIFORM, 7).draws(100));
        assertNotEquals(later, sampler.draws(101));
        assertNotEquals(later, sampler(20, 4, 1, Sampling.UNIFORM, 8).draws(100));
    }

    /** 20,000 draws of 40: the least and the most frequent are within five deviations of 500. */
    @Test
    void everyTaskExampleAndDescriptionIsDrawnAlike() {
        int[] count = new int[40];
        int[] parts = new int[8];
        for (long t = 0; t < 2000; t++) {
            for (Draw draw : sampler(40, 10, 1, Sampling.UNIFORM, 3).draws(t)) {
                count[draw.task()]++;
                parts[draw.example()]++;
                parts[5 + draw.description()]++;
            }
        }
        for (int c : count) {
            assertEquals(500, c, 5 * Math.sqrt(500));
        }
        for (int i = 0; i < 8; i++) {
            assertEquals(i < 5 ? 4000 : 20000 / 3.0, parts[i], 5 * Math.sqrt(7000));
        }
    }

    @Test
    void fewerTasksThanABatchAreOneBatch() {
        TaskSampler sampler = sampler(2, 8, 1, Sampling.EPOCHS, 1);
        assertEquals(1, sampler.stepsPerEpoch());
        assertEquals(2, sampler.tasks(5).length);
    }

    @Test
    void passesHoldToTheirTokensAndWeighSamplesAlike() {
        List<Tokens> samples = new ArrayList<>();
        for (int length : new int[] {9, 3, 30, 4, 5}) {
            samples.add(new Tokens(new int[length], 2, ""));
        }
        int[] adapters = {0, 1, 2, 3, 4};
        assertEquals(1, Passes.of(samples, adapters, 0).size());
        List<TrainingBatch> passes = Passes.of(samples, adapters, 12);
        assertEquals(List.of(3 + 4 + 5 - 3, 9 - 1, 30 - 1), passes.stream().map(TrainingBatch::rows).toList());
        assertEquals(List.of(32, 32, 32), passes.stream().map(TrainingBatch::paddedLength).toList(), "noise is that of the whole step");
        assertEquals(List.of(5, 1, 3), passes.stream().map(TrainingBatch::adapters).toList());
    }
}
