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
        List<Sample> ordered = IntStream.range(0, adapters.length).mapToObj(i -> new Sample(samples.get(i).ids(), samples.get(i).labels(), adapters[i], 1f / adapters.length))
                .sorted(Comparator.comparingInt(sample -> sample.ids().length)).toList();
        int paddedLength = TrainingBatch.paddedLength(ordered); // of the step, so that noise does not depend on the cut
        List<TrainingBatch> passes = new ArrayList<>();
        List<Sample> pass = new ArrayList<>();
        long filled = 0;
        for (Sample sample : ordered) {
            if (tokens > 0 && !pass.isEmpty() && filled + sample.ids().length > tokens) {
                passes.add(TrainingBatch.of(pass, paddedLength));
                pass = new ArrayList<>();
                filled = 0;
            }
            pass.add(sample);
            filled += sample.ids().length;
        }
        passes.add(TrainingBatch.of(pass, paddedLength));
        return passes;
    }
}
