package dev.t2l.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.Tiny;
import dev.t2l.eval.Benchmark;
import dev.t2l.eval.LoraScale;
import dev.t2l.io.FormatException;
import dev.t2l.io.HubId;
import dev.t2l.train.Recipes;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class EvalConfigTest {
    private static final String BENCHMARKS = "arc_challenge, arc_easy, boolq, gsm8k, hellaswag, openbookqa, piqa, winogrande, humaneval, mbpp";

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @TempDir
    Path folder;

    private int run(String... args) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        return Main.commandLine(new PrintWriter(out, true), new PrintWriter(err, true)).execute(args);
    }

    @AfterEach
    void quiet() {
        ConsoleLogging.configure(new PrintWriter(System.err, true), false);
    }

    static List<String> recipes() {
        return Recipes.evaluations();
    }

    /** One line of each benchmark, in its own fields. */
    private Path benchmarks() throws IOException {
        Path files = Files.createDirectories(folder.resolve("files"));
        String choices = "\"choices\": {\"text\": [\"x\", \"y\", \"z\", \"w\"], \"label\": [\"A\", \"B\", \"C\", \"D\"]}, \"answerKey\": \"B\"}\n";
        for (Map.Entry<String, String> one : Map.of("arc_challenge", "{\"question\": \"q\", " + choices, "arc_easy", "{\"question\": \"q\", " + choices,
                "openbookqa", "{\"question_stem\": \"q\", " + choices, "boolq", "{\"question\": \"q\", \"passage\": \"p\", \"answer\": true}\n",
                "gsm8k", "{\"question\": \"1 and 1\", \"answer\": \"#### 2\"}\n", "hellaswag", "{\"ctx\": \"q\", \"endings\": [\"w\", \"x\", \"y\", \"z\"], \"label\": \"3\"}\n",
                "piqa", "{\"goal\": \"q\", \"sol1\": \"x\", \"sol2\": \"y\", \"label\": 1}\n", "winogrande", "{\"sentence\": \"q\", \"option1\": \"x\", \"option2\": \"y\", \"answer\": \"1\"}\n",
                "humaneval", "{\"prompt\": \"def f():\\n\", \"entry_point\": \"f\", \"test\": \"def check(f): pass\"}\n",
                "mbpp", "{\"text\": \"Square.\", \"test_list\": [\"assert sq(2) == 4\"]}\n").entrySet()) {
            Files.writeString(files.resolve(one.getKey() + ".jsonl"), one.getValue());
        }
        return files;
    }

    /** The tiny hypernetwork, with evaluation descriptions as the published ones come with. */
    private Path network() throws IOException {
        Path copy = Tiny.copy(Tiny.T2L, folder.resolve("t2l"));
        Path args = copy.resolve("args.yaml");
        var info = new StringBuilder("eval_ds_info:\n");
        for (String benchmark : BENCHMARKS.split(", ")) {
            info.append("  %s:\n    descriptions:\n    - What is %s?\n    - Do %s.\n    - Three.\n    ds_kwargs: null\n".formatted(benchmark, benchmark, benchmark));
        }
        Files.writeString(args, Files.readString(args).replaceFirst("(?m)^eval_ds_info:\\n", Matcher.quoteReplacement(info.toString())));
        return copy;
    }

    private Path base() throws IOException {
        Path base = Tiny.withChatTemplate(folder.resolve("base"));
        Path config = base.resolve("config.json"); // room for few-shot prompts
        Files.writeString(config, Files.readString(config).replaceFirst("\"max_position_embeddings\": \\d+", "\"max_position_embeddings\": 512"));
        return base;
    }

    /** What a recipe names is there: benchmarks, columns, scales; and the run that it describes works, on tiny models. */
    @ParameterizedTest
    @MethodSource("recipes")
    void recipesRunOnTinyModels(String recipe) throws IOException {
        Map<String, Object> options = EvalConfig.read(recipe);
        assertEquals(List.of(BENCHMARKS.split(", ")), options.get("--benchmark"));
        ((List<?>) options.get("--benchmark")).forEach(name -> Benchmark.of((String) name));
        assertEquals(List.of("t2l=alpha/r"), options.get("--scale"));
        assertEquals(LoraScale.ALPHA_OVER_R, LoraScale.of("alpha/r"));
        assertEquals(512, options.get("--max-new"));
        assertEquals(3, options.get("--descriptions"));
        assertEquals(0, options.get("--examples"));
        assertTrue(HubId.parse((String) options.get("--base")).isPresent());
        assertTrue(HubId.parse(((List<?>) options.get("--t2l")).getFirst().toString().replaceFirst("t2l=", "")).isPresent());
        String base = base().toString();
        assertEquals(0, run("eval", "--config", recipe, "--base", base, "--t2l", network().toString(), "--encoder", base, "--benchmarks", benchmarks().toString(),
                "--max-new", "2", "--backend", "java", "--out", folder.resolve("run").toString()), err::toString);
        assertTrue(err.toString().contains("humaneval is left out"), err.toString());
        for (String benchmark : BENCHMARKS.replaceAll(", (humaneval|mbpp)", "").split(", ")) {
            assertTrue(out.toString().contains("| " + benchmark), out.toString());
        }
        assertTrue(out.toString().contains(recipe.equals("paper-gemma") ? "t2l + examples" : "t2l, random description"), out.toString());
        assertTrue(out.toString().contains("mean of 8"), out.toString());
    }

    @Test
    void theCommandLineGoesBeforeTheFile() throws IOException {
        Path config = Files.writeString(folder.resolve("mine.yaml"), """
                kind: eval
                base: nowhere
                benchmark:
                  gsm8k: %s
                columns: [constant, base]
                max_new: 3
                seed: 7
                out: %s
                """.formatted(benchmarks().resolve("gsm8k.jsonl"), folder.resolve("run")));
        assertEquals(0, run("eval", "--config", config.toString(), "--base", base().toString(), "--columns", "base", "--backend", "java"), err::toString);
        assertTrue(out.toString().contains("gsm8k") && !out.toString().contains("constant"), out.toString());
        assertEquals(1, run("eval", "--config", config.toString()));
        assertTrue(err.toString().contains("--base nowhere: there is no such file or folder"), err.toString());
    }

    @Test
    void allThatIsMissingIsNamedAtOnce() {
        assertEquals(1, run("eval", "--config", "paper-llama", "--benchmarks", folder.resolve("none").toString(), "--lora", "mt=" + folder.resolve("mt")));
        String told = err.toString();
        for (String part : List.of("--base meta-llama/Llama-3.1-8B-Instruct: ", "https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct", "--t2l SakanaAI/text-to-lora@",
                "https://huggingface.co/SakanaAI/text-to-lora\n", "--encoder Alibaba-NLP/gte-large-en-v1.5", "--lora " + folder.resolve("mt"), "none/piqa.jsonl", "the dataset ybisk/piqa, validation",
                "the dataset allenai/winogrande, winogrande_debiased, validation, on https://huggingface.co/datasets/allenai/winogrande")) {
            assertTrue(told.contains(part), part + " in\n" + told);
        }
        assertEquals(1 + 4 + 10, told.lines().count(), told);
    }

    @Test
    void whatIsNoConfigurationIsExplained() throws IOException {
        assertEquals(1, run("eval", "--config", "paper-mistrl"));
        assertTrue(err.toString().contains("the recipes are paper-mistral, paper-llama, paper-gemma"), err.toString());
        Path training = Files.writeString(folder.resolve("training.yaml"), "kind: sft\nbase: x\n");
        assertTrue(assertThrows(FormatException.class, () -> EvalConfig.read(training.toString())).getMessage().contains("t2l train"));
        Path wrong = Files.writeString(folder.resolve("wrong.yaml"), "base: x\ncolums: [base]\n");
        assertTrue(assertThrows(FormatException.class, () -> EvalConfig.read(wrong.toString())).getMessage().contains("did you mean 'columns'?"));
        assertEquals(2, run("eval", "--benchmark", "gsm8k", "--base", "x"));
        assertEquals(2, run("eval", "--base", "x"));
        assertFalse(out.toString().contains("|"));
    }

    /** README's tables are the recipes': each published mean is that of its row, to what is printed. */
    @Test
    void thePublishedMeansAreThoseOfTheirRows() throws IOException {
        Pattern row = Pattern.compile("^\\| [^|]+ \\|((?: [\\d.]+ \\|){11})$", Pattern.MULTILINE);
        Matcher m = row.matcher(Files.readString(Path.of("README.md")));
        List<Double> off = new ArrayList<>();
        while (m.find()) {
            double[] cells = java.util.Arrays.stream(m.group(1).split("\\|")).map(String::strip).filter(cell -> !cell.isEmpty()).mapToDouble(Double::parseDouble).toArray();
            off.add(Math.abs(java.util.Arrays.stream(cells).limit(10).average().orElseThrow() - cells[10]));
        }
        assertEquals(15, off.size());
        off.forEach(difference -> assertTrue(difference < 0.011, "off by " + difference));
    }
}
