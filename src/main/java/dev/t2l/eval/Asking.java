package dev.t2l.eval;

import java.util.function.Function;

/**
 * How a column asks a task's questions: with which adapter, in which words.
 *
 * @param description what it reads of the task; empty if nothing
 * @param source      of adapters
 * @param adapter     the text that the source makes an example's adapter of
 * @param prompt      what the model reads of an example
 * @param prefill     what answers begin with, unasked, in the place of what they begin with otherwise; empty: nothing else
 */
public record Asking(String description, AdapterSource source, Function<EvalExample, String> adapter, Function<EvalExample, String> prompt, String prefill) {
    Asking(String description, AdapterSource source, Function<EvalExample, String> adapter, Function<EvalExample, String> prompt) {
        this(description, source, adapter, prompt, "");
    }

    /** The base model alone. */
    static Asking base(String description, Function<EvalExample, String> prompt) {
        return new Asking(description, AdapterSource.NONE, _ -> "", prompt);
    }

    /** The same with examples before the input. */
    Asking with(FewShot shots) {
        return new Asking(description, source, adapter, example -> shots.before(prompt.apply(example)), shots.prefill());
    }

    /** One adapter for all examples. */
    public static Asking adapted(String description, AdapterSource source, String adapter, Function<EvalExample, String> prompt) {
        return new Asking(description, source, _ -> adapter, prompt);
    }
}
