package dev.t2l.eval;

import java.util.List;
import java.util.Optional;

/**
 * An example of a task.
 *
 * @param outputs accepted answers, at least one, the usual one first
 * @param options the permitted answers; none if it is not a choice
 * @param test    of an answer that completes a program
 */
public record EvalExample(String input, List<String> outputs, List<String> options, Optional<ProgramTest> test) {
    public EvalExample {
        outputs = List.copyOf(outputs);
        options = List.copyOf(options);
    }

    /** Of an answer in words. */
    public EvalExample(String input, List<String> outputs, List<String> options) {
        this(input, outputs, options, Optional.empty());
    }

    /** The usual answer. */
    public String output() {
        return outputs.getFirst();
    }
}
