package dev.t2l.train;

import dev.t2l.train.PromptFormat.Tokens;
import dev.t2l.train.TrainingTask.Example;
import java.util.List;

/**
 * A task's examples as tokens.
 *
 * @param refused examples that were left without a token to predict, and left out
 */
public record TokenisedTask(String name, List<Tokens> examples, List<Tokens> heldOut, int refused) {

    /**
     * Tokenises in parallel.
     *
     * @throws IllegalArgumentException if a task has no example left
     */
    public static List<TokenisedTask> of(List<TrainingTask> tasks, PromptFormat format) {
        return tasks.parallelStream().map(task -> of(task, format)).toList();
    }

    private static TokenisedTask of(TrainingTask task, PromptFormat format) {
        List<Tokens> examples = tokens(task.examples(), format);
        List<Tokens> heldOut = tokens(task.heldOut(), format);
        if (examples.isEmpty()) {
            throw new IllegalArgumentException("the task '" + task.name() + "' has no example with a response token left; HINT: are its responses empty?");
        }
        return new TokenisedTask(task.name(), examples, heldOut, task.examples().size() + task.heldOut().size() - examples.size() - heldOut.size());
    }

    private static List<Tokens> tokens(List<Example> examples, PromptFormat format) {
        return examples.stream().map(format::tokenise).filter(Tokens::predicts).toList();
    }
}
