package dev.t2l.train;

import dev.t2l.train.PromptFormat.Tokens;
import dev.t2l.train.TrainingBatch.Sample;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** A step's samples cut into passes through the base: nothing is padded, so only memory limits a pass. */
final class Passes {
    private Passes() {
    }

    /**
     * Samples of about the same length side by side, each weighing the same in the step's loss.
     *
     * @param samples  of the step, one for each adapter
     * @param adapters by sample: which one acts on it
     * @param tokens   a pass has at most so many, but always one sample; 0: one pass
     */
    static List<TrainingBatch> of(List<Tokens> samples, int[] adapters, int tokens) {
        List<Integer> order = new ArrayList<>(IntStream.range(0, samples.size()).boxed().toList());
        order.sort(Comparator.comparingInt(i -> samples.get(i).ids().length));
        List<TrainingBatch> passes = new ArrayList<>();
        List<Sample> pass = new ArrayList<>();
        long filled = 0;
        for (int i : order) {
            Tokens sample = samples.get(i);
            if (tokens > 0 && !pass.isEmpty() && filled + sample.ids().length > tokens) {
                passes.add(TrainingBatch.of(pass));
                pass = new ArrayList<>();
                filled = 0;
            }
            pass.add(new Sample(sample.ids(), sample.labels(), adapters[i], 1f / samples.size()));
            filled += sample.ids().length;
        }
        passes.add(TrainingBatch.of(pass));
        return passes;
    }
}
