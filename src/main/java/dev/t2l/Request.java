package dev.t2l;

import java.util.Objects;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * One generation: what to continue, with which adapters, how, and where the text goes.
 *
 * @param chat       a conversation, rendered with the model's chat template; or null, then {@code prompt} is continued as it is
 * @param prompt     plain text, or null
 * @param adaptation adapters to add; {@link Adaptation#none} for the base model
 * @param sink       gets the text piece by piece, on the thread that generates; never a broken character
 * @param cancelled  asked before every token, and now and then while a long prompt is read; when true, the generation ends with
 *                   what it has. Interrupting the thread does the same to all requests of its call
 */
public record Request(Chat chat, String prompt, Adaptation adaptation, Sampling sampling, Consumer<String> sink, BooleanSupplier cancelled) {
    public Request {
        Objects.requireNonNull(adaptation, "adaptation; Adaptation.none() is the base model");
        Objects.requireNonNull(sampling, "sampling");
        Objects.requireNonNull(sink, "sink");
        Objects.requireNonNull(cancelled, "cancelled");
        if ((chat == null) == (prompt == null)) {
            throw new IllegalArgumentException("a request continues either a chat or a prompt");
        }
    }

    /** Continues a conversation. */
    public static Request of(Chat chat, Adaptation adaptation, Sampling sampling) {
        return new Request(chat, null, adaptation, sampling, piece -> { }, () -> false);
    }

    /** Continues plain text, without chat template. */
    public static Request raw(String prompt, Adaptation adaptation, Sampling sampling) {
        return new Request(null, prompt, adaptation, sampling, piece -> { }, () -> false);
    }

    public Request withSink(Consumer<String> sink) {
        return new Request(chat, prompt, adaptation, sampling, sink, cancelled);
    }

    public Request withCancellation(BooleanSupplier cancelled) {
        return new Request(chat, prompt, adaptation, sampling, sink, cancelled);
    }
}
