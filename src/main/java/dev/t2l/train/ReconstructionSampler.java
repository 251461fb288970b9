package dev.t2l.train;

import dev.t2l.backend.Noise;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Which tasks and descriptions are in which step. An epoch is one random permutation of the tasks, cut into batches, the last one possibly
 * smaller; a task's descriptions are a random subset. All of it is a function of the seed and the step.
 *
 * @param descriptions how many each task has
 * @param perBatch     tasks a batch
 * @param perTask      descriptions of a task in a batch; 0, or more than it has, for all
 */
record ReconstructionSampler(List<Integer> descriptions, int perBatch, int perTask, long seed) {
    private static final int ORDER = 0;
    private static final int SUBSET = 1;

    ReconstructionSampler {
        if (perBatch < 1 || perTask < 0) {
            throw new IllegalArgumentException("wanted at least one task a batch and at least 0 descriptions a task, found " + perBatch + " and " + perTask);
        }
        descriptions = List.copyOf(descriptions);
    }

    /** Steps of an epoch. */
    long stepsPerEpoch() {
        return Math.ceilDiv(descriptions.size(), perBatch);
    }

    /** The rows of step t, counted from 0, task by task. */
    Reconstruction.Batch batch(long t) {
        int[] order = shuffled(descriptions.size(), random(ORDER, t / stepsPerEpoch()));
        int first = Math.toIntExact(t % stepsPerEpoch() * perBatch);
        List<Integer> tasks = new ArrayList<>();
        List<Integer> rows = new ArrayList<>();
        SplittableRandom subset = random(SUBSET, t);
        for (int i = first; i < Math.min(first + perBatch, order.length); i++) {
            int count = descriptions.get(order[i]);
            int[] chosen = shuffled(count, subset);
            for (int k = 0; k < (perTask == 0 ? count : Math.min(perTask, count)); k++) {
                tasks.add(order[i]);
                rows.add(chosen[k]);
            }
        }
        return new Reconstruction.Batch(ints(tasks), ints(rows));
    }

    private SplittableRandom random(int purpose, long of) {
        return new SplittableRandom(Noise.seed(Noise.seed(seed, purpose), of));
    }

    private static int[] ints(List<Integer> list) {
        return list.stream().mapToInt(Integer::intValue).toArray();
    }

    /** A permutation of 0 .. n-1 (Fisher and Yates). */
    private static int[] shuffled(int n, SplittableRandom random) {
        int[] order = IntStream.range(0, n).toArray();
        for (int i = n - 1; i > 0; i--) {
            int j = random.nextInt(i + 1);
            int swap = order[i];
            order[i] = order[j];
            order[j] = swap;
        }
        return order;
    }
}
