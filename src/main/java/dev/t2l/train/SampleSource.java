package dev.t2l.train;

import dev.t2l.train.PromptFormat.Tokens;
import dev.t2l.train.TaskSampler.Draw;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The samples of a run: which ones a step learns from, and which ones are validated on. */
final class SampleSource {
    private final List<TokenisedTask> tasks;
    private final TaskSampler sampler;
    private final TrainingConfig.Batch batch;

    /**
     * A held-out example.
     *
     * @param number of the example in its task, to choose a description by
     */
    record Held(int task, int number, Tokens tokens) {
    }

    SampleSource(List<TokenisedTask> tasks, TaskSampler sampler, TrainingConfig.Batch batch) {
        this.tasks = tasks;
        this.sampler = sampler;
        this.batch = batch;
    }

    TaskSampler sampler() {
        return sampler;
    }

    /** Samples of a step at most. */
    int most() {
        return batch.tasks() * batch.points();
    }

    Tokens tokens(Draw draw) {
        return tasks.get(draw.task()).examples().get(draw.example());
    }

    /** Tokens of a pass, of training or validation, at most. */
    int mostTokens() {
        int longest = samples().mapToInt(sample -> sample.ids().length).max().orElseThrow();
        long all = (long) most() * longest;
        return Math.toIntExact(batch.tokens() == 0 ? all : Math.min(all, Math.max(batch.tokens(), longest)));
    }

    /** Predicted tokens of a pass, of training or validation, at most. */
    int mostPredicted() {
        int longest = samples().mapToInt(Tokens::response).max().orElseThrow();
        return Math.min(mostTokens(), most() * longest);
    }

    /** All that a pass may hold: what is learnt from, and what is validated on. */
    private Stream<Tokens> samples() {
        return tasks.stream().flatMap(task -> Stream.concat(task.examples().stream(), task.heldOut().stream()));
    }

    /** All held-out examples, task by task, in groups of a step's size. */
    List<List<Held>> heldOut() {
        List<List<Held>> groups = new ArrayList<>();
        for (int task = 0; task < tasks.size(); task++) {
            List<Tokens> heldOut = tasks.get(task).heldOut();
            for (int i = 0; i < heldOut.size(); i++) {
                if (groups.isEmpty() || groups.getLast().size() == most()) {
                    groups.add(new ArrayList<>());
                }
                groups.getLast().add(new Held(task, i, heldOut.get(i)));
            }
        }
        return groups;
    }

    /** Of a step's or a group's samples, each with an adapter of its own, or all with the first. */
    List<TrainingBatch> passes(List<Tokens> samples, boolean ownAdapters) {
        int[] adapters = new int[samples.size()];
        for (int i = 0; ownAdapters && i < adapters.length; i++) {
            adapters[i] = i;
        }
        return Passes.of(samples, adapters, batch.tokens());
    }
}
