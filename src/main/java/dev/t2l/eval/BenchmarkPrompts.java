package dev.t2l.eval;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.data.JsonRecords;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Records of {@link Benchmark}s as questions, in the words of the published evaluation of Text-to-LoRA (https://github.com/SakanaAI/text-to-lora, Apache-2.0);
 * MMLU and TruthfulQA, which it lacks, in words of our own.
 */
final class BenchmarkPrompts {
    private static final int SHOWN = 4; // options of ARC, at least
    private static final String FENCE = "```";

    private BenchmarkPrompts() {
    }

    static EvalExample arc(JsonRecords record) {
        List<String> labels = new ArrayList<>(choices(record).texts("label"));
        List<String> texts = new ArrayList<>(choices(record).texts("text"));
        for (int i = texts.size(); i > 0 && i < SHOWN; i++) {
            labels.add(String.valueOf((char) (labels.getFirst().charAt(0) + i)));
            texts.add("N/A");
        }
        return choice(record, "Answer the question below by choosing the correct choice.\n\n" + record.text("question") + "\n\n", labels, texts,
                labels.indexOf(record.text("answerKey")),
                "\n\nYou must respond with the letter corresponding to the correct choice without any explanation.");
    }

    static EvalExample openbookqa(JsonRecords record) {
        List<String> labels = choices(record).texts("label");
        return choice(record, "Complete the following passage or answer the question by choosing the correct choice.\n\n" + record.text("question_stem") + "\n\n", labels,
                choices(record).texts("text"), labels.indexOf(record.text("answerKey")),
                "\n\nYou must respond with the letter corresponding to the correct choice (A,B,C,D) without any explanation.");
    }

    private static JsonRecords choices(JsonRecords record) {
        return new JsonRecords(record.file(), record.line(), record.object().path("choices"));
    }

    static EvalExample hellaswag(JsonRecords record) {
        List<String> endings = record.texts("endings");
        return choice(record, "You are provided with an incomplete passage below as well as 4 choices of continuation with only one of them being the correct ending. "
                + "Treat the endings as being labelled 0, 1, 2, 3 in order.\n\nPassage: " + record.text("ctx") + "\n\n", numbers(endings.size()), endings, number(record, "label"),
                "\n\nYou must respond with the only number corresponding to the correct ending (0,1,2,3) for the passage without any explanation.");
    }

    static EvalExample piqa(JsonRecords record) {
        return choice(record, "Choose the option that either answers the question, completes the sentence, or solves the problem. "
                + "Pay attention to the properties of the objects in the question and how they interact with each other. "
                + "If both options are correct, choose the one that is more convenient or more common.\n\n\"\"\"" + record.text("goal") + "\"\"\"\n\n",
                numbers(2), List.of(record.text("sol1"), record.text("sol2")), number(record, "label"), "\n\nYou must respond with either `0` or `1` without any explanation.");
    }

    private static List<String> numbers(int count) {
        return IntStream.range(0, count).mapToObj(String::valueOf).toList();
    }

    static EvalExample winogrande(JsonRecords record) {
        String input = "Given the following situation:\n\n" + record.text("sentence") + "\n\nWhich option is correct?\n\nOption 1: " + record.text("option1") + "\n\nOption 2: "
                + record.text("option2") + "\n\nYou must respond with either `1` or `2` without any explanation.";
        List<String> labels = List.of("1", "2");
        return new EvalExample(input, List.of(right(record, labels, number(record, "answer") - 1)), labels);
    }

    static EvalExample boolq(JsonRecords record) {
        return new EvalExample(record.text("passage") + "\n\nQuestion: " + record.text("question") + "?\n\nPlease answer with either `true` or `false` without any explanation.",
                List.of(record.text("answer").equalsIgnoreCase("true") ? "true" : "false"), List.of("true", "false"));
    }

    static EvalExample gsm8k(JsonRecords record) {
        return new EvalExample("Please answer the following question: " + record.text("question") + "\n\n", List.of(record.text("answer")), List.of());
    }

    /** The answer goes on behind the beginning of the function. */
    static EvalExample humaneval(JsonRecords record) {
        String begin = record.text("prompt");
        String block = FENCE + "python\n" + begin.strip();
        return new EvalExample("Write a solution to the following problem:\n" + block + "\n" + FENCE, List.of(record.text("canonical_solution", "")), List.of(),
                Optional.of(new ProgramTest(begin, record.text("test"), record.text("entry_point"), block)));
    }

    /** MBPP, whole, sanitised or MBPP+: the first test is shown, all are run, with what they need before them. */
    static EvalExample mbpp(JsonRecords record) {
        List<String> tests = record.texts("test_list");
        if (tests.isEmpty()) {
            throw record.problem("field 'test_list': wanted assertions, found none");
        }
        String instruction = (record.has("text") ? record.text("text") : record.text("prompt")).strip();
        String input = instruction + (instruction.endsWith(".") ? "" : ".") + " Your code should satisfy the following assertion:\n"
                + FENCE + "python\n" + tests.getFirst().strip() + "\n" + FENCE;
        var check = new StringBuilder(record.text("test_setup_code", "")).append('\n').append(String.join("\n", record.texts("test_imports"))).append("\ndef check(_):\n");
        tests.forEach(test -> check.append(test.indent(4)));
        return new EvalExample(input, List.of(record.text("code", "")), List.of(), Optional.of(new ProgramTest("", check + "    pass\n", "id", FENCE + "python")));
    }

    static EvalExample mmlu(JsonRecords record) {
        return lettered(record, record.texts("choices"), number(record, "answer"));
    }

    /** The right one is always the first in the file. */
    static EvalExample truthfulqa(JsonRecords record) {
        List<String> choices = new ArrayList<>(new JsonRecords(record.file(), record.line(), targets(record)).texts("choices"));
        if (choices.isEmpty()) {
            throw record.problem("field 'mc1_targets': wanted choices, found none");
        }
        String right = choices.getFirst();
        Collections.shuffle(choices, new Random(record.line()));
        return lettered(record, choices, choices.indexOf(right));
    }

    private static JsonNode targets(JsonRecords record) {
        return record.object().path("mc1_targets");
    }

    private static EvalExample lettered(JsonRecords record, List<String> options, int right) {
        return choice(record, record.text("question") + "\n\n", IntStream.range(0, options.size()).mapToObj(i -> String.valueOf((char) ('A' + i))).toList(), options, right, "");
    }

    private static EvalExample choice(JsonRecords record, String before, List<String> labels, List<String> options, int right, String behind) {
        List<String> lines = new ArrayList<>();
        String label = right(record, labels, labels.size() == options.size() ? right : -1);
        for (int i = 0; i < options.size(); i++) {
            lines.add(labels.get(i) + ": " + options.get(i));
        }
        return new EvalExample(before + String.join("\n", lines) + behind, List.of(label), labels);
    }

    private static String right(JsonRecords record, List<String> labels, int right) {
        if (right < 0 || right >= labels.size() || labels.size() > 26) {
            throw record.problem("wanted up to 26 options, one of them right, found " + labels.size() + ", of which number " + (right + 1) + " is right"
                    + "; HINT: test parts without answers cannot be scored");
        }
        return labels.get(right);
    }

    private static int number(JsonRecords record, String field) {
        try {
            return Integer.parseInt(record.text(field));
        } catch (NumberFormatException e) {
            throw record.problem("field '" + field + "': wanted a number, found '" + record.text(field) + "'; HINT: test parts without answers cannot be scored");
        }
    }
}
