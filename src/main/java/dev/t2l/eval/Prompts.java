package dev.t2l.eval;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.Collectors;

/** The words of a question: the input alone, a description before it, or examples between the two. */
final class Prompts {
    private Prompts() {
    }

    /** Description, blank line, input. */
    static Function<EvalExample, String> described(String description) {
        return example -> description + "\n\n" + example.input();
    }

    /**
     * Description; examples as {@code Input: ...} and {@code Output: ...}; the input in the same form, its output left open. Blank lines between.
     *
     * @param shots examples of the task's train part
     */
    static Function<EvalExample, String> withExamples(String description, List<EvalExample> shots) {
        String head = description + "\n\n" + shots.stream().map(shot -> "Input: " + shot.input() + "\nOutput: " + shot.output() + "\n\n").collect(Collectors.joining());
        return example -> head + "Input: " + example.input() + "\nOutput:";
    }

    /** So many examples of the train part, drawn without replacement, by seed and name of the task. */
    static List<EvalExample> draw(EvalTask task, int count, long seed) {
        List<EvalExample> left = new ArrayList<>(task.train());
        if (left.size() < count) {
            throw new IllegalArgumentException("the task '" + task.name() + "' has " + left.size() + " train examples, the prompt needs " + count);
        }
        var random = new SplittableRandom(seed * 31 + task.name().hashCode());
        List<EvalExample> drawn = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            drawn.add(left.remove(random.nextInt(left.size())));
        }
        return drawn;
    }
}
