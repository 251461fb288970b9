package dev.t2l.train;

import dev.t2l.train.TrainingConfig.Batch;
import dev.t2l.train.TrainingConfig.Sampling;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Which samples a step learns from: a function of seed and step alone. Tasks are drawn first, then for each its examples, with
 * replacement, and for each example a description.
 */
public final class TaskSampler {
    private final List<Size> tasks;
    private final Batch batch;
    private final long seed;

    /** How many there are of a task. */
    public record Size(int examples, int descriptions) {
    }

    /** A sample: indices of the task, of the example in it, and of the description in it. */
    public record Draw(int task, int example, int description) {
    }

    /** An epoch's tasks that fill no batch are dropped; fewer tasks than a batch wants are one batch. */
    public TaskSampler(List<Size> tasks, Batch batch, long seed) {
        this.tasks = List.copyOf(tasks);
        this.batch = batch;
        this.seed = seed;
    }

    /** Steps of an epoch: of a permutation of the tasks, or of as many draws. */
    public long stepsPerEpoch() {
        return Math.max(1, tasks.size() / batch.tasks());
    }

    /** The tasks of step t, from 0. */
    public int[] tasks(long t) {
        if (batch.sampling() == Sampling.UNIFORM) {
            var random = new SplittableRandom(Purpose.EPOCH.seed(seed, t));
            return random.ints(batch.tasks(), 0, tasks.size()).toArray();
        }
        int[] order = permutation(t / stepsPerEpoch());
        int from = Math.toIntExact(t % stepsPerEpoch() * batch.tasks());
        return Arrays.copyOfRange(order, from, Math.min(order.length, from + batch.tasks()));
    }

    /** Fisher and Yates 1938. */
    private int[] permutation(long epoch) {
        var random = new SplittableRandom(Purpose.EPOCH.seed(seed, epoch));
        int[] order = new int[tasks.size()];
        for (int i = 0; i < order.length; i++) {
            int j = random.nextInt(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }

    /** The samples of step t, from 0. */
    public List<Draw> draws(long t) {
        var random = new SplittableRandom(Purpose.SAMPLES.seed(seed, t));
        List<Draw> draws = new ArrayList<>();
        for (int task : tasks(t)) {
            for (int i = 0; i < batch.points(); i++) {
                draws.add(new Draw(task, random.nextInt(tasks.get(task).examples()), random.nextInt(tasks.get(task).descriptions())));
            }
        }
        return draws;
    }
}
