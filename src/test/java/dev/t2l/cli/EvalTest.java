package dev.t2l.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.LanguageModel;
import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import dev.t2l.eval.EvalTasks;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EvalTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @TempDir
    Path folder;

    @BeforeEach
    void write() throws IOException {
        Tiny.withChatTemplate(folder.resolve("model"));
        EvalTasks.write(folder.resolve("data"));
        try (Backend java = Backend.open("java"); LanguageModel lm = LanguageModel.load(folder.resolve("model"), java)) {
            for (String task : new String[] {"echo", "sums", "yell", "code"}) {
                Tiny.adapter(lm.config(), 2, task.hashCode()).save(folder.resolve("oracles").resolve(task));
            }
        }
    }

    private int run(String... more) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        Stream<String> always = Stream.of("eval", "--base", folder.resolve("model").toString(), "--data", folder.resolve("data").toString(), "--backend", "java",
                "--examples", "2", "--descriptions", "2", "--max-new", "4", "--out", folder.resolve("run").toString());
        return Main.commandLine(new PrintWriter(out, true), new PrintWriter(err, true)).execute(Stream.concat(always, Stream.of(more)).toArray(String[]::new));
    }

    @AfterEach
    void quiet() {
        ConsoleLogging.configure(new PrintWriter(System.err, true), false);
    }

    @Test
    void allColumnsInOneCommand() throws IOException {
        String adapter = folder.resolve("oracles/yell").toString();
        String oracles = folder.resolve("oracles").toString();
        Path table = folder.resolve("table.md");
        assertEquals(0, run("--suite", "unseen", "--t2l", Tiny.T2L.toString(), "--lora", "mt=" + adapter, "--lora", "stronger=" + adapter, "--scale", "stronger=alpha/sqrt(r)",
                "--oracles", oracles, "--table", table.toString()), err::toString);
        String text = out.toString();
        assertEquals(text.strip(), Files.readString(table).strip());
        for (String title : List.of("constant answer", "average of LoRAs", "Arrow routing", "nearest training adapter", "t2l, another task's description", "t2l + description", "oracle",
                "95 % interval", "* above mt", "† above oracle", "whose likeliest one is taken", "t2l less")) {
            assertTrue(text.contains(title), title + " in\n" + text);
        }
        assertEquals(0, run("--suite", "unseen", "--t2l", Tiny.T2L.toString(), "--lora", "mt=" + adapter, "--oracles", oracles, "--columns", "base,oracle,t2l", "--json"), err::toString);
        JsonNode json = new ObjectMapper().readTree(out.toString());
        List<String> names = new ArrayList<>();
        json.path("columns").forEach(column -> names.add(column.path("column").textValue()));
        assertEquals(List.of("base", "t2l", "oracle"), names);
        assertEquals(2, json.path("scores").path("t2l").path("echo").size());
        assertEquals(2, json.path("comparisons").size());
        assertTrue(json.path("byLikelihood").path("scores").path("t2l").has("echo"));
        assertTrue(json.path("byLikelihood").path("byLikelihood").isMissingNode());
    }

    @Test
    void benchmarks() throws IOException {
        Path file = Files.writeString(folder.resolve("gsm.jsonl"), "{\"question\": \"1 and 1\", \"answer\": \"#### 2\"}\n");
        assertEquals(0, run("--benchmark", "gsm8k=" + file, "--columns", "constant,base"), err::toString);
        assertTrue(out.toString().contains("| gsm8k"), out.toString());
        Path mmlu = Files.writeString(folder.resolve("mmlu.jsonl"), "{\"question\": \"1 and 1?\", \"choices\": [\"1\", \"2\"], \"answer\": 1}\n");
        assertEquals(2, run("--benchmark", "mmlu=" + mmlu, "--columns", "examples"));
        assertTrue(err.toString().contains("there are no examples to show for mmlu"), err.toString());
        assertEquals(1, run("--benchmark", "gsm8=" + file));
        assertTrue(err.toString().contains("did you mean 'gsm8k'?"), err.toString());
    }

    @Test
    void wrongUsageIsExplained() {
        assertEquals(2, run("--suite", "unseen", "--columns", "bass"));
        assertTrue(err.toString().contains("did you mean 'base'?"), err.toString());
        assertEquals(2, run("--suite", "unseen", "--columns", "oracle"));
        assertTrue(err.toString().contains("--oracles"), err.toString());
        assertEquals(1, run("--suite", "unseen", "--scale", "mt=alpha/r"));
        assertTrue(err.toString().contains("--scale mt is of no adapter"), err.toString());
        assertEquals(1, run("--suite", "unsen"));
        assertTrue(err.toString().contains("it has the suites [unseen, program, train]"), err.toString());
    }
}
