package dev.t2l.eval;

import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How an answer is scored, from 0 to 1. */
public enum Metric {
    /** The answer is one of the accepted ones, but for case, white space around and between words, and a final full stop. */
    EXACT_MATCH {
        @Override
        public double score(String answer, EvalExample example) {
            String said = normalised(answer);
            return example.outputs().stream().anyMatch(output -> normalised(output).equals(said)) ? 1 : 0;
        }
    },
    /** The same comparison, of one of the example's options. */
    MULTIPLE_CHOICE {
        @Override
        public double score(String answer, EvalExample example) {
            return EXACT_MATCH.score(answer, example);
        }
    },
    /** The last number of the answer is the last number of the output. */
    NUMERIC {
        @Override
        public double score(String answer, EvalExample example) {
            String said = lastNumber(answer);
            return said != null && example.outputs().stream().map(Metric::lastNumber)
                    .anyMatch(wanted -> wanted != null && Double.parseDouble(wanted) == Double.parseDouble(said)) ? 1 : 0;
        }
    },
    /** ROUGE-L's F1, the best over the accepted answers. */
    ROUGE_L {
        @Override
        public double score(String answer, EvalExample example) {
            return example.outputs().stream().mapToDouble(output -> RougeL.f1(answer, output)).max().orElse(0);
        }
    },
    /** The first letter or digit of the answer is the one of the output, in any case; before it white space, quotes, brackets and full stops may stand. */
    FIRST_CHARACTER {
        @Override
        public double score(String answer, EvalExample example) {
            String said = BEFORE_CHOICE.matcher(answer).replaceFirst("").toLowerCase(Locale.ROOT);
            return !said.isEmpty() && example.outputs().stream().anyMatch(output -> output.toLowerCase(Locale.ROOT).codePointAt(0) == said.codePointAt(0)) ? 1 : 0;
        }
    },
    /** The first word of the answer that says true or false (or yes, no), in any case, says what the output says. */
    TRUE_OR_FALSE {
        @Override
        public double score(String answer, EvalExample example) {
            Matcher m = TRUTH.matcher(answer);
            return m.find() && example.output().equalsIgnoreCase("true") == (m.group(1) != null) ? 1 : 0;
        }
    },
    /** The input and the answer are a program that passes its test. */
    PASS_AT_1 {
        @Override
        public double score(String answer, EvalExample example) {
            throw new IllegalStateException("answers that are programs are scored by running them"); // see Scores
        }
    };

    private static final Pattern NUMBER = Pattern.compile("(?<!\\d)-?(?:\\d{1,3}(?:,\\d{3})+(?!\\d)|\\d+)(?:\\.\\d+)?|-?\\.\\d+");
    private static final Pattern TRUTH = Pattern.compile("\\b(?:(true|yes)|false|no)\\b", Pattern.CASE_INSENSITIVE);
    private static final Pattern BEFORE_CHOICE = Pattern.compile("^[\\s:`'\"(.)]+", Pattern.UNICODE_CHARACTER_CLASS);
    private static final Pattern SPACE = Pattern.compile("\\s+", Pattern.UNICODE_CHARACTER_CLASS);

    /** The score of an answer. */
    public abstract double score(String answer, EvalExample example);

    /** As tasks.json names it. */
    static Metric of(String name) {
        for (Metric metric : values()) {
            if (metric.key().equals(name)) {
                return metric;
            }
        }
        throw new IllegalArgumentException("there is no metric '" + name + "'; wanted one of " + List.of(values()).stream().map(Metric::key).toList());
    }

    /** Whether an answer is a word or less, chosen among a few. */
    boolean beginsWithChoice() {
        return this == FIRST_CHARACTER || this == TRUE_OR_FALSE;
    }

    /** Its name in files. */
    public String key() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Case-folded, trimmed, white space squeezed, without a final full stop. */
    static String normalised(String text) {
        String squeezed = SPACE.matcher(text.strip()).replaceAll(" ").strip();
        String bare = squeezed.endsWith(".") ? squeezed.substring(0, squeezed.length() - 1).stripTrailing() : squeezed;
        return bare.toUpperCase(Locale.ROOT).toLowerCase(Locale.ROOT);
    }

    /** The last number, thousands separators dropped; null without any. */
    private static String lastNumber(String text) {
        Matcher m = NUMBER.matcher(text);
        String last = null;
        while (m.find()) {
            last = m.group().replace(",", "");
        }
        return last;
    }
}
