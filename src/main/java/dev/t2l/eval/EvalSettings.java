package dev.t2l.eval;

import java.util.OptionalInt;

/**
 * What holds for all columns.
 *
 * @param examples     the first so many test examples of a task; 0 for all
 * @param maxNew       new tokens at most; empty: see {@link TokenLimits}
 * @param maxPrompt    longer prompts lose tokens on the left; 0: only what the model's context asks for
 * @param batch        sequences at once at most; 0: what the backend likes
 * @param seed         of bootstrap samples
 */
public record EvalSettings(int examples, OptionalInt maxNew, int maxPrompt, int batch, long seed) {
    public EvalSettings {
        if (examples < 0 || maxPrompt < 0 || batch < 0 || maxNew.orElse(1) < 1) {
            throw new IllegalArgumentException("examples " + examples + ", new tokens " + maxNew + ", prompt tokens " + maxPrompt + ", batch " + batch
                    + ": none may be negative, and at least one new token is needed");
        }
    }
}
