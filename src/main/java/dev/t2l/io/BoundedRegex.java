package dev.t2l.io;

import java.util.Optional;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/** A regular expression out of a file: Python's spelling, and no more steps than a module's name can need. */
final class BoundedRegex {
    private static final int MAX_LENGTH = 4096;
    private static final int MAX_STEPS = 1_000_000;

    private final Pattern pattern;

    /** @throws IllegalArgumentException if it is no regular expression, or too long */
    BoundedRegex(String python) {
        if (python.length() > MAX_LENGTH) {
            throw new IllegalArgumentException("a regular expression of " + python.length() + " characters; the limit is " + MAX_LENGTH);
        }
        try {
            pattern = Pattern.compile(python.replace("(?P<", "(?<").replaceAll("\\(\\?P=(\\w+)\\)", "\\\\k<$1>"));
        } catch (PatternSyntaxException | StackOverflowError e) {
            throw new IllegalArgumentException("'" + python + "' is no regular expression", e);
        }
    }

    /** Python's {@code re.fullmatch}. */
    boolean matchesAll(String text) {
        return bounded(() -> matcher(text).matches());
    }

    /** Python's {@code re.match}. */
    boolean matchesStart(String text) {
        return bounded(() -> matcher(text).lookingAt());
    }

    /** The group {@code name} of {@code re.match}. */
    Optional<String> group(String text, String name) {
        return bounded(() -> {
            Matcher matcher = matcher(text);
            return matcher.lookingAt() ? Optional.ofNullable(matcher.group(name)) : Optional.empty();
        });
    }

    private Matcher matcher(String text) {
        return pattern.matcher(new CountedText(text));
    }

    private <T> T bounded(Supplier<T> match) {
        try {
            return match.get();
        } catch (TooManySteps | StackOverflowError e) {
            throw new IllegalArgumentException("matching '" + pattern + "' takes too long", e);
        }
    }

    private static final class TooManySteps extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    /** Counts how often the matcher looks. */
    private static final class CountedText implements CharSequence {
        private final String text;
        private int steps;

        CountedText(String text) {
            this.text = text;
        }

        @Override
        public int length() {
            return text.length();
        }

        @Override
        public char charAt(int i) {
            if (++steps > MAX_STEPS) {
                throw new TooManySteps();
            }
            return text.charAt(i);
        }

        @Override
        public CharSequence subSequence(int from, int to) {
            return text.substring(from, to);
        }

        @Override
        public String toString() {
            return text;
        }
    }
}
