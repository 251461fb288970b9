package dev.t2l.train;

import java.util.List;
import java.util.stream.Stream;

/**
 * A task: what it is in words, and examples of it.
 *
 * @param descriptions     to train on, at least one
 * @param evalDescriptions others, to validate with; may be none
 * @param examples         to train on
 * @param heldOut          to validate with; may be none
 */
public record TrainingTask(String name, List<String> descriptions, List<String> evalDescriptions, List<Example> examples, List<Example> heldOut) {
    /** What is asked, and the answer. */
    public record Example(String prompt, String response) {
    }

    public TrainingTask {
        descriptions = List.copyOf(descriptions);
        evalDescriptions = List.copyOf(evalDescriptions);
        examples = List.copyOf(examples);
        heldOut = List.copyOf(heldOut);
    }

    /** With these descriptions behind its own, each once. */
    TrainingTask with(List<String> more) {
        return new TrainingTask(name, Stream.concat(descriptions.stream(), more.stream()).distinct().toList(), evalDescriptions, examples, heldOut);
    }

    /** With the first so many descriptions only. */
    TrainingTask described(int most) {
        return new TrainingTask(name, descriptions.subList(0, Math.min(most, descriptions.size())), evalDescriptions, examples, heldOut);
    }

    /**
     * With something to validate on: examples that are not trained on, the last ones if the task names none itself, at most {@code most} and
     * at most a tenth of all.
     */
    TrainingTask holding(int most) {
        if (most == 0 || !heldOut.isEmpty()) {
            return new TrainingTask(name, descriptions, evalDescriptions, examples, heldOut.subList(0, Math.min(most, heldOut.size())));
        }
        int kept = examples.size() - Math.min(most, examples.size() / 10);
        return new TrainingTask(name, descriptions, evalDescriptions, examples.subList(0, kept), examples.subList(kept, examples.size()));
    }
}
