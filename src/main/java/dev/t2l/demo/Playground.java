package dev.t2l.demo;

import dev.t2l.Adaptation;
import dev.t2l.Adapter;
import dev.t2l.AdapterMix;
import dev.t2l.Chat;
import dev.t2l.Request;
import dev.t2l.Sampling;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/** A description, or a mix of two, tried on a prompt: what the page of the demo asks for. Thread-safe. */
final class Playground {
    private static final int LONGEST = 4000;
    private static final float STRONGEST = 2;

    private final DemoModels models;
    private final LiveTier live;

    /**
     * What is wanted.
     *
     * @param other    a second description, blank for none
     * @param share    of the second in the mix, 0 to 1
     * @param strength of the adapter, 0 to 2; 1 is as it was trained
     * @param prompt   may be blank where no answer is wanted
     */
    record Wish(String description, String other, float share, float strength, String prompt) {
        Wish {
            description = text("description", description);
            other = text("other description", other);
            prompt = text("prompt", prompt);
            if (description.isBlank()) {
                throw new IllegalArgumentException("a description is wanted");
            }
            if (!(share >= 0 && share <= 1) || !(strength >= 0 && strength <= STRONGEST)) {
                throw new IllegalArgumentException("wanted a share from 0 to 1 and a strength from 0 to 2, found " + share + " and " + strength);
            }
        }

        /** This wish, if it has a prompt. */
        Wish withPrompt() {
            if (prompt.isBlank()) {
                throw new IllegalArgumentException("a prompt is wanted");
            }
            return this;
        }

        private static String text(String name, String value) {
            String text = value == null ? "" : value.strip();
            if (text.length() > LONGEST) {
                throw new IllegalArgumentException("the " + name + " has " + text.length() + " characters, more than " + LONGEST);
            }
            return text;
        }
    }

    /**
     * What the adapter is.
     *
     * @param millis from the sentences to the adapter
     * @param norms  of what it adds to each matrix
     */
    record Made(double millis, List<AdapterNorms.Norm> norms, Optional<LiveTier.Position> position, Optional<TaskMap.Point> place) {
    }

    Playground(DemoModels models, LiveTier live) {
        this.models = models;
        this.live = live;
    }

    /** The adapter, looked at. */
    Made make(Wish wish) {
        long start = System.nanoTime();
        try (var mix = new Mix(wish)) {
            double millis = (System.nanoTime() - start) * 1e-6;
            try (Adapter one = mix.sum.concatenated(); Arena arena = Arena.ofConfined()) {
                return new Made(millis, AdapterNorms.of(one.onHost(arena)), live.position(wish.description()), place(wish.description()));
            }
        }
    }

    private Optional<TaskMap.Point> place(String description) {
        return models.neighbours().map(tasks -> tasks.place("this", models.encoder().embedTasks(List.of(description))[0]));
    }

    /** Both answers, side by side in one batch, each piece as it is generated. */
    void answer(Wish wish, Consumer<String> base, Consumer<String> adapted, BooleanSupplier cancelled) {
        try (var mix = new Mix(wish)) {
            models.base().generate(List.of(request(wish, Adaptation.none(), base, cancelled), request(wish, mix.sum, adapted, cancelled)));
        }
    }

    private Request request(Wish wish, Adaptation adaptation, Consumer<String> sink, BooleanSupplier cancelled) {
        Chat chat = Chat.user(wish.prompt());
        return Request.of(chat, adaptation, Sampling.greedy().withMaxTokens(live.effort().ownTokens())).withSink(sink).withCancellation(cancelled);
    }

    /** The adapters behind a wish, weighted. */
    private final class Mix implements AutoCloseable {
        private final List<Adapter> adapters;
        private final AdapterMix sum;

        Mix(Wish wish) {
            boolean two = !wish.other().isBlank();
            adapters = models.t2l().generate(two ? List.of(wish.description(), wish.other()) : List.of(wish.description()));
            float second = two ? wish.share() * wish.strength() : 0;
            var first = new AdapterMix.Part(adapters.getFirst(), two ? (1 - wish.share()) * wish.strength() : wish.strength());
            sum = two ? AdapterMix.of(first, new AdapterMix.Part(adapters.getLast(), second)) : AdapterMix.of(first);
        }

        @Override
        public void close() {
            adapters.forEach(Adapter::close);
        }
    }
}
