package dev.t2l.eval;

import dev.t2l.data.JsonRecords;
import dev.t2l.data.Spelling;
import dev.t2l.io.FormatException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * The ten benchmarks of Text-to-LoRA's paper (arXiv 2506.06105), and MMLU and TruthfulQA's single choice, read from files with their original fields, as
 * Hugging Face's datasets has them. Prompts ({@link BenchmarkPrompts}), few-shot examples ({@link FewShot}) and what answers begin with are those of the
 * published evaluation. Answers are extracted as there: of choices the first character, of BoolQ the first word for true or false, of GSM8K,
 * whose answers begin with "Let's think step by step. ", the last number, of programs the block that the answer begins in.
 */
public enum Benchmark {
    ARC_CHALLENGE(Metric.FIRST_CHARACTER, "", "allenai/ai2_arc, ARC-Challenge, test", BenchmarkPrompts::arc),
    ARC_EASY(Metric.FIRST_CHARACTER, "", "allenai/ai2_arc, ARC-Easy, test", BenchmarkPrompts::arc),
    BOOLQ(Metric.TRUE_OR_FALSE, "", "google/boolq, validation", BenchmarkPrompts::boolq),
    GSM8K(Metric.NUMERIC, "Let's think step by step. ", "openai/gsm8k, main, test", BenchmarkPrompts::gsm8k),
    HELLASWAG(Metric.FIRST_CHARACTER, "", "Rowan/hellaswag, validation", BenchmarkPrompts::hellaswag),
    HUMANEVAL(Metric.PASS_AT_1, "", "openai/openai_humaneval, test", BenchmarkPrompts::humaneval),
    MBPP(Metric.PASS_AT_1, "", "evalplus/mbppplus, test", BenchmarkPrompts::mbpp),
    OPENBOOKQA(Metric.FIRST_CHARACTER, "", "allenai/openbookqa, main, test", BenchmarkPrompts::openbookqa),
    PIQA(Metric.FIRST_CHARACTER, "", "ybisk/piqa, validation", BenchmarkPrompts::piqa),
    WINOGRANDE(Metric.FIRST_CHARACTER, "", "allenai/winogrande, winogrande_debiased, validation", BenchmarkPrompts::winogrande),
    MMLU(Metric.FIRST_CHARACTER, "", "cais/mmlu, all, test", BenchmarkPrompts::mmlu),
    TRUTHFULQA(Metric.FIRST_CHARACTER, "", "truthfulqa/truthful_qa, multiple_choice, validation", BenchmarkPrompts::truthfulqa);

    /** The suite that they belong to. */
    public static final String SUITE = "benchmarks";
    private static final List<String> SPLITS = List.of("", "_test", "_validation");
    private static final List<String> ENDINGS = List.of(".jsonl", ".jsonl.gz", ".json", ".json.gz");

    private final Metric metric;
    private final String prefill;
    private final String source;
    private final Function<JsonRecords, EvalExample> reader;

    Benchmark(Metric metric, String prefill, String source, Function<JsonRecords, EvalExample> reader) {
        this.metric = metric;
        this.prefill = prefill;
        this.source = source;
        this.reader = reader;
    }

    Metric metric() {
        return metric;
    }

    /** The dataset on Hugging Face's hub, its configuration and split, from which the published evaluation took it. */
    public String source() {
        return source;
    }

    /** Its file in a folder: {@code arc_easy.jsonl}, {@code .jsonl.gz}, {@code .json} or {@code .json.gz}, perhaps {@code arc_easy_test.jsonl} and so on. */
    public Optional<Path> in(Path folder) {
        return SPLITS.stream().flatMap(split -> ENDINGS.stream().map(end -> folder.resolve(key() + split + end))).filter(Files::isRegularFile).findFirst();
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
        return new EvalTask(key(), SUITE, metric, descriptions, List.of(), tests, prefill, FewShot.published(this));
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
}
