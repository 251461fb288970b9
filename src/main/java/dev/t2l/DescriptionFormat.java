package dev.t2l;

/** How a task description is written before an encoder reads it, as Text-to-LoRA was trained (its reference, {@code utils/preprocessing}). */
public enum DescriptionFormat {
    /** Stripped, with a full stop after a last letter: gte, sentence encoders, and the base language model itself. */
    FULL_STOP {
        @Override
        public String apply(String description) {
            String text = strip(description);
            if (text.isEmpty()) {
                throw new IllegalArgumentException("the task description is empty; wanted a sentence that describes the task");
            }
            return Character.isLetter(text.codePointBefore(text.length())) ? text + "." : text;
        }
    },
    /** As the query of an instruction, not stripped: the SFR encoders. */
    INSTRUCTION {
        @Override
        public String apply(String description) {
            return "Instruct: Retrieve semantically similar text.\nQuery: " + description;
        }
    };

    /**
     * The text that the encoder reads.
     *
     * @throws IllegalArgumentException if {@link #FULL_STOP} finds nothing but white space
     */
    public abstract String apply(String description);

    /** A description as it comes from a command line: without the quotes ({@code "} and {@code '}) and spaces around it. */
    public static String unquoted(String argument) {
        return strip(argument, c -> c == '"' || c == '\'' || c == ' ');
    }

    /** What Python's {@code str.strip()} leaves: its white space is Unicode's, and the separators U+001C to U+001F. */
    static String strip(String text) {
        return strip(text, DescriptionFormat::isSpace);
    }

    private static String strip(String text, java.util.function.IntPredicate dropped) {
        int from = 0;
        int to = text.length();
        while (from < to && dropped.test(text.charAt(from))) {
            from++;
        }
        while (to > from && dropped.test(text.charAt(to - 1))) {
            to--;
        }
        return text.substring(from, to);
    }

    private static boolean isSpace(int c) {
        return c >= 0x09 && c <= 0x0D || c >= 0x1C && c <= 0x20 || c == 0x85 || Character.isSpaceChar(c);
    }
}
