package dev.t2l.eval;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.data.JsonRecords;
import dev.t2l.data.Spelling;
import dev.t2l.io.FormatException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.Function;

/**
 * The ten benchmarks of Text-to-LoRA's paper (arXiv 2506.06105), and MMLU and TruthfulQA's single choice, read from files with their original fields, as
 * Hugging Face's datasets has them. Answers are extracted as in the paper: of choices the first character, of BoolQ the first word for true or
 * false, of GSM8K, whose answers begin with "Let's think step by step. ", the last number, of programs the fenced block. In what words
 * options stand in a prompt the paper does not say; here each has a line and a letter.
 */
public enum Benchmark {
    ARC_CHALLENGE(Metric.FIRST_CHARACTER, "", Benchmark::labelled),
    ARC_EASY(Metric.FIRST_CHARACTER, "", Benchmark::labelled),
    BOOLQ(Metric.TRUE_OR_FALSE, "", r -> new EvalExample(r.text("passage") + "\n\nQuestion: " + r.text("question") + "\nTrue or False?",
            List.of(r.text("answer").equals("true") ? "True" : "False"), List.of("True", "False"))),
    GSM8K(Metric.NUMERIC, "Let's think step by step. ", r -> new EvalExample(r.text("question"), List.of(r.text("answer")), List.of())),
    HELLASWAG(Metric.FIRST_CHARACTER, "", r -> choice(r, r.text("ctx"), r.texts("endings"), number(r, "label"))),
    HUMANEVAL(Metric.PASS_AT_1, "", r -> new EvalExample(r.text("prompt"), List.of(r.text("canonical_solution", "")), List.of(),
            Optional.of(new ProgramTest(r.text("prompt"), r.text("test"), r.text("entry_point"))))),
    MBPP(Metric.PASS_AT_1, "", Benchmark::asserted),
    OPENBOOKQA(Metric.FIRST_CHARACTER, "", Benchmark::labelled),
    PIQA(Metric.FIRST_CHARACTER, "", r -> choice(r, r.text("goal"), List.of(r.text("sol1"), r.text("sol2")), number(r, "label"))),
    WINOGRANDE(Metric.FIRST_CHARACTER, "", r -> choice(r, r.text("sentence"), List.of(r.text("option1"), r.text("option2")), number(r, "answer") - 1)),
    MMLU(Metric.FIRST_CHARACTER, "", r -> choice(r, r.text("question"), r.texts("choices"), number(r, "answer"))),
    TRUTHFULQA(Metric.FIRST_CHARACTER, "", Benchmark::shuffled);

    /** The suite that they belong to. */
    public static final String SUITE = "benchmarks";

    private final Metric metric;
    private final String prefill;
    private final Function<JsonRecords, EvalExample> reader;

    Benchmark(Metric metric, String prefill, Function<JsonRecords, EvalExample> reader) {
        this.metric = metric;
        this.prefill = prefill;
        this.reader = reader;
    }

    /** As options and descriptions name it: {@code arc_challenge}. */
    public String key() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** @throws IllegalArgumentException if there is none of that name */
    public static Benchmark of(String key) {
        List<String> keys = Arrays.stream(values()).map(Benchmark::key).toList();
        if (!keys.contains(key)) {
            throw new IllegalArgumentException("no benchmark is called '" + key + "'; there are " + String.join(", ", keys)
                    + Spelling.nearest(key, keys).map(near -> "; did you mean '" + near + "'?").orElse(""));
        }
        return values()[keys.indexOf(key)];
    }

    /**
     * Reads a test part, {@code .jsonl} or {@code .json}, {@code .gz} or not.
     *
     * @param descriptions for evaluation
     * @throws FormatException naming file, line and field
     */
    public EvalTask read(Path file, List<String> descriptions) {
        List<EvalExample> tests = JsonRecords.read(file).stream().map(reader).toList();
        if (tests.isEmpty()) {
            throw new FormatException(file, "file", "has no line");
        }
        return new EvalTask(key(), SUITE, metric, descriptions, List.of(), tests, prefill);
    }

    /** The published evaluation descriptions, by name: lines with {@code task} and perhaps {@code eval_descriptions}. */
    public static Map<String, List<String>> descriptions(Path file) {
        List<String> keys = Arrays.stream(values()).map(Benchmark::key).toList();
        Map<String, List<String>> found = new LinkedHashMap<>();
        for (JsonRecords line : JsonRecords.read(file)) {
            List<String> own = line.texts("eval_descriptions");
            if (keys.contains(line.text("task")) && !own.isEmpty()) {
                found.put(line.text("task"), own);
            }
        }
        return found;
    }

    private static int number(JsonRecords record, String field) {
        try {
            return Integer.parseInt(record.text(field));
        } catch (NumberFormatException e) {
            throw record.problem("field '" + field + "': wanted a number, found '" + record.text(field) + "'; HINT: test parts without answers cannot be scored");
        }
    }

    /** ARC and OpenBookQA: choices with labels of their own, which become letters. */
    private static EvalExample labelled(JsonRecords record) {
        JsonNode choices = record.object().path("choices");
        List<String> texts = new JsonRecords(record.file(), record.line(), choices).texts("text");
        int right = new JsonRecords(record.file(), record.line(), choices).texts("label").indexOf(record.text("answerKey"));
        return choice(record, record.has("question_stem") ? record.text("question_stem") : record.text("question"), texts, right);
    }

    /** The right one is always the first in the file. */
    private static EvalExample shuffled(JsonRecords record) {
        List<String> choices = new ArrayList<>(new JsonRecords(record.file(), record.line(), record.object().path("mc1_targets")).texts("choices"));
        if (choices.isEmpty()) {
            throw record.problem("field 'mc1_targets': wanted choices, found none");
        }
        String right = choices.getFirst();
        Collections.shuffle(choices, new Random(record.line()));
        return choice(record, record.text("question"), choices, choices.indexOf(right));
    }

    /** MBPP, whole or sanitised: tests are assertions, with what they need before them. */
    private static EvalExample asserted(JsonRecords record) {
        List<String> tests = record.texts("test_list");
        String input = (record.has("text") ? record.text("text") : record.text("prompt")) + "\nYour code should pass these tests:\n\n" + String.join("\n", tests) + "\n";
        var check = new StringBuilder(record.text("test_setup_code", "")).append('\n').append(String.join("\n", record.texts("test_imports"))).append("\ndef check(_):\n");
        tests.forEach(test -> check.append(test.indent(4)));
        return new EvalExample(input, List.of(record.text("code", "")), List.of(), Optional.of(new ProgramTest("", check + "    pass\n", "id")));
    }

    private static EvalExample choice(JsonRecords record, String question, List<String> options, int right) {
        if (right < 0 || right >= options.size() || options.size() > 26) {
            throw record.problem("wanted up to 26 options, one of them right, found " + options.size() + ", of which number " + (right + 1) + " is right"
                    + "; HINT: test parts without answers cannot be scored");
        }
        var text = new StringBuilder(question).append('\n');
        List<String> letters = new ArrayList<>();
        for (int i = 0; i < options.size(); i++) {
            letters.add(String.valueOf((char) ('A' + i)));
            text.append('\n').append(letters.getLast()).append(": ").append(options.get(i));
        }
        return new EvalExample(text.toString(), List.of(letters.get(right)), letters);
    }
}
