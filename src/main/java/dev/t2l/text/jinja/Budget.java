package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;

/** What one rendering may use; a template is a file from elsewhere. It goes with the thread that renders. */
final class Budget {
    static final ScopedValue<Budget> CURRENT = ScopedValue.newInstance();

    private static final long MAX_STEPS = 5_000_000;
    private static final long MAX_CHARACTERS = 1L << 26;
    private static final int MAX_OUTPUT = 1 << 25;
    private static final int MAX_DEPTH = 256;

    private long steps;
    private long characters;
    private int depth;

    /** One step of the current rendering. */
    static void step() {
        CURRENT.get().spend(1);
    }

    /** Characters made in the current rendering. */
    static void charge(long characters) {
        CURRENT.get().characters(characters);
        step();
    }

    void spend(long many) {
        steps += many;
        if (steps > MAX_STEPS) {
            throw TemplateException.of("the chat template takes more than " + MAX_STEPS + " steps");
        }
    }

    /** Characters of a text about to be made. */
    void characters(long many) {
        characters += many;
        if (characters > MAX_CHARACTERS) {
            throw TemplateException.of("the chat template makes more than " + MAX_CHARACTERS + " characters");
        }
    }

    void output(int length) {
        if (length > MAX_OUTPUT) {
            throw TemplateException.of("the chat template writes more than " + MAX_OUTPUT + " characters");
        }
    }

    void enter() {
        spend(1);
        if (++depth > MAX_DEPTH) {
            throw TemplateException.of("the chat template nests more than " + MAX_DEPTH + " deep");
        }
    }

    void leave() {
        depth--;
    }
}
