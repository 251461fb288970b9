package dev.t2l.eval;

import java.util.List;

/**
 * An example of a task.
 *
 * @param outputs accepted answers, at least one, the usual one first
 * @param options the permitted answers; none if it is not a choice
 */
public record EvalExample(String input, List<String> outputs, List<String> options) {
    public EvalExample {
        outputs = List.copyOf(outputs);
        options = List.copyOf(options);
    }

    /** The usual answer. */
    public String output() {
        return outputs.getFirst();
    }
}
