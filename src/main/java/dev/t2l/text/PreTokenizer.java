package dev.t2l.text;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Splits a text into the words within which byte pairs merge: every match of an expression is a word, and so is what lies between
 * matches; a later expression splits the words of the earlier ones.
 *
 * <p>The expressions are the published ones of each model family (the {@code pre_tokenizer} of its tokenizer.json; llama.cpp names
 * them in {@code tokenizer.ggml.pre}). {@code \s} in them is Unicode's White_Space, {@code \p{L}} and {@code \p{N}} are general
 * categories, and the contractions of {@code (?i:...)} fold by Unicode, so that {@code 'ſ} (long s) is one.
 *
 * @param expressions   in order
 * @param wholeWords    a word that is itself a token is taken at once ({@code ignore_merges})
 * @param addsBosByDefault whether the family puts BOS before a text when the file does not say
 */
record PreTokenizer(List<Pattern> expressions, boolean wholeWords, boolean addsBosByDefault) {
    static final String GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
    private static final String CONTRACTION = "(?iu:'s|'t|'re|'ve|'m|'ll|'d)";
    private static final String LINES = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
    private static final String LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
    private static final String WORD_START = "[^\\r\\n\\p{L}\\p{N}]?";

    private static final PreTokenizer GPT2_SPLIT = of(false, false, GPT2);
    private static final PreTokenizer SINGLE_DIGITS = of(false, false, "\\p{N}", GPT2);
    private static final PreTokenizer QWEN2 = of(false, false, CONTRACTION + "|" + WORD_START + "\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" + LINES);
    private static final String LLAMA3 = CONTRACTION + "|" + WORD_START + "\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" + LINES;
    private static final PreTokenizer LLAMA3_SPLIT = of(true, true, LLAMA3);

    private static final Map<String, PreTokenizer> BY_NAME = new LinkedHashMap<>();

    static {
        put(GPT2_SPLIT, "gpt-2", "phi-2", "jina-es", "jina-de", "mpt", "olmo", "jais");
        put(SINGLE_DIGITS, "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b");
        put(LLAMA3_SPLIT, "llama-bpe", "llama3", "llama-v3");
        put(of(false, false, LLAMA3), "dbrx", "smaug-bpe");
        put(QWEN2, "qwen2", "stablelm2", "deepseek-r1-qwen");
        put(of(true, true, WORD_START + UPPER + "*" + LOWER + "+|" + WORD_START + UPPER + "+" + LOWER + "*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" + LINES), "tekken");
        put(of(false, false, WORD_START + UPPER + "*" + LOWER + "+" + CONTRACTION + "?|" + WORD_START + UPPER + "+" + LOWER + "*" + CONTRACTION + "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" + LINES), "gpt-4o");
        put(of(false, false, "[\\p{P}\\$\\+<=>\\^~\\|]+", "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)", "\\p{N}+", "[0-9][0-9][0-9]"), "default");
    }

    /** @throws IllegalArgumentException for a type that is not known, naming those that are */
    static PreTokenizer named(String name) {
        PreTokenizer found = BY_NAME.get(name);
        if (found == null) {
            throw new IllegalArgumentException("pre-tokenizer type '" + name + "' is not supported; HINT: use the model's tokenizer.json. Supported: " + new TreeSet<>(BY_NAME.keySet()));
        }
        return found;
    }

    /**
     * The name in GGUF of the type with these expressions.
     *
     * @param expressions as a tokenizer.json spells them
     */
    static Optional<String> nameOf(List<String> expressions, boolean wholeWords) {
        List<String> wanted = expressions.stream().map(e -> unicode(e.replace("(?i:", "(?iu:"))).toList();
        return BY_NAME.entrySet().stream()
                .filter(e -> e.getValue().wholeWords() == wholeWords && e.getValue().expressions().stream().map(Pattern::pattern).toList().equals(wanted))
                .map(Map.Entry::getKey).findFirst();
    }

    List<String> split(String text) {
        List<String> words = List.of(text);
        for (Pattern expression : expressions) {
            List<String> finer = new ArrayList<>();
            for (String word : words) {
                split(expression, word, finer);
            }
            words = finer;
        }
        return words;
    }

    private static void split(Pattern expression, String text, List<String> out) {
        Matcher matcher = expression.matcher(text);
        int done = 0;
        while (matcher.find()) {
            if (matcher.start() > done) {
                out.add(text.substring(done, matcher.start()));
            }
            if (matcher.end() > matcher.start()) {
                out.add(matcher.group());
            }
            done = matcher.end();
        }
        if (done < text.length()) {
            out.add(text.substring(done));
        }
    }

    private static PreTokenizer of(boolean wholeWords, boolean addsBosByDefault, String... expressions) {
        List<Pattern> compiled = new ArrayList<>();
        for (String expression : expressions) {
            compiled.add(Pattern.compile(unicode(expression)));
        }
        return new PreTokenizer(List.copyOf(compiled), wholeWords, addsBosByDefault);
    }

    private static String unicode(String expression) {
        return expression.replace("\\s", "\\p{IsWhite_Space}").replace("\\S", "\\P{IsWhite_Space}");
    }

    private static void put(PreTokenizer splitter, String... names) {
        for (String name : names) {
            BY_NAME.put(name, splitter);
        }
    }
}
