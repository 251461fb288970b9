package dev.t2l;

import java.util.Arrays;

/**
 * What a request produced.
 *
 * @param text         the generated text, without stop sequence or end-of-turn token
 * @param tokens       the generated ids, an end-of-turn token included
 * @param promptTokens length of the prompt
 * @param finish       why it ended
 * @param prefillNanos time from the request to its first token
 * @param decodeNanos  time for all further tokens
 */
public record Completion(String text, int[] tokens, int promptTokens, Finish finish, long prefillNanos, long decodeNanos) {

    /** Why a generation ended. */
    public enum Finish {
        /** The model ended its turn, or a stop sequence came. */
        STOP,
        /** The limit on new tokens, or the model's context, was reached. */
        LENGTH,
        /** The caller cancelled. */
        CANCELLED
    }

    /** Decoded tokens a second, the first one not counted; 0 if there is only one. */
    public double tokensPerSecond() {
        return tokens.length < 2 ? 0 : (tokens.length - 1) / (decodeNanos * 1e-9);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Completion c && text.equals(c.text) && Arrays.equals(tokens, c.tokens) && finish == c.finish;
    }

    @Override
    public int hashCode() {
        return 31 * text.hashCode() + Arrays.hashCode(tokens);
    }
}
