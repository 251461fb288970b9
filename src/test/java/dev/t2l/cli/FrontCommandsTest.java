package dev.t2l.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.Adaptation;
import dev.t2l.Adapter;
import dev.t2l.AdapterMix;
import dev.t2l.AdapterRouter;
import dev.t2l.Chat;
import dev.t2l.Completion;
import dev.t2l.LanguageModel;
import dev.t2l.Request;
import dev.t2l.Sampling;
import dev.t2l.TextToLora;
import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code t2l adapt} and {@code t2l run} on a tiny model: they say what the library says. */
class FrontCommandsTest {
    private static final String TASK = "Answer with yes or no.";
    private static final String BASE = Tiny.BASE.toString();
    private static final String T2L = Tiny.T2L.toString();

    @TempDir
    Path folder;
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private final InputStream in = System.in;

    private int t2l(String... args) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        return Main.commandLine(new PrintWriter(out, true), new PrintWriter(err, true)).execute(args);
    }

    private void done(String... args) {
        assertEquals(0, t2l(args), err.toString());
    }

    private JsonNode json(String... args) throws IOException {
        done(args);
        return new ObjectMapper().readTree(out.toString());
    }

    /** What the library answers. */
    private static Completion library(Path base, Function<LanguageModel, Request> request) {
        try (Backend backend = Backend.best(); LanguageModel lm = LanguageModel.load(base, backend)) {
            return lm.generate(request.apply(lm));
        }
    }

    private static Sampling few() {
        return Sampling.greedy().withMaxTokens(12);
    }

    @AfterEach
    void restore() {
        System.setIn(in);
        ConsoleLogging.configure(new PrintWriter(System.err, true), false);
    }

    @Test
    void adaptWritesWhatTheLibraryGenerates() throws Exception {
        String peft = folder.resolve("peft").toString();
        JsonNode told = json("adapt", "\"" + TASK + "\"", "--t2l", T2L, "--base", BASE, "--out", peft, "--json");
        assertEquals(TASK + "\n", Files.readString(folder.resolve("peft/task_description.txt")));
        done("adapt", TASK, "--t2l", T2L, "--base", BASE, "--out", folder.resolve("lora.gguf").toString(), "--type", "bf16");
        assertTrue(out.toString().contains("lora.gguf") && out.toString().contains("LoRA pairs"), out.toString());
        try (Backend backend = Backend.best(); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend); TextToLora t2l = TextToLora.load(Tiny.T2L, lm);
                Adapter want = t2l.generate(TASK); Adapter got = lm.loadAdapter(folder.resolve("peft")); Adapter gguf = lm.loadAdapter(folder.resolve("lora.gguf"))) {
            want.onHost(Arena.ofAuto()).pairs().forEach((site, pair) -> assertArrayEquals(pair.b().toFloats(), got.weights().pairs().get(site).b().toFloats()));
            assertEquals(want.weights().pairs().size(), told.get("pairs").asInt());
            assertEquals(want.weights().parameters(), told.get("parameters").asLong());
            assertEquals(peft, told.get("out").asText());
            assertEquals(want.weights().pairs().keySet(), gguf.weights().pairs().keySet());
        }
    }

    @Test
    void adaptReadsOnlyTheConfigOfTheBase() throws Exception {
        String encoder = Tiny.GTE_T2L.resolve("gte-tiny").toString();
        Path bare = Files.createDirectory(folder.resolve("bare"));
        Files.copy(Tiny.GTE_T2L.resolve("base/config.json"), bare.resolve("config.json"));
        done("adapt", TASK, "--t2l", Tiny.GTE_T2L.toString(), "--encoder", encoder, "--base", bare.toString(), "--out", folder.resolve("a").toString());
        assertTrue(Files.exists(folder.resolve("a/adapter_model.safetensors")));
        assertEquals(1, t2l("adapt", TASK, "--t2l", Tiny.GTE_T2L.toString(), "--encoder", encoder, "--base", Tiny.GEMMA.toString(), "--out", folder.resolve("b").toString()));
        assertOneLine("t2l adapt: ", "HINT");
        assertTrue(Files.notExists(folder.resolve("b")));
    }

    @Test
    void runStreamsWhatTheLibraryAnswers() throws Exception {
        done("run", "--base", BASE, "--raw", "--max-tokens", "12", "once");
        assertEquals(library(Tiny.BASE, _ -> Request.raw("once", Adaptation.none(), few())).text() + System.lineSeparator(), out.toString());
        assertEquals("", err.toString());

        JsonNode drawn = json("run", "--base", BASE, "--raw", "--max-tokens", "12", "--temperature", "0.9", "--seed", "7", "--top-k", "30", "--json", "once");
        Completion want = library(Tiny.BASE, _ -> Request.raw("once", Adaptation.none(), Sampling.temperature(0.9, 7).withTopK(30).withMaxTokens(12)));
        assertEquals(want.text(), drawn.get("text").asText());
        assertArrayEquals(want.tokens(), IntStream.range(0, drawn.get("tokens").size()).map(i -> drawn.get("tokens").get(i).asInt()).toArray());
        assertEquals(want.finish().name(), drawn.get("finish").asText());

        done("run", "--base", BASE, "--raw", "--max-tokens", "12", "--stats", "once");
        assertTrue(err.toString().contains("tokens/s, " + Completion.Finish.LENGTH), err.toString());
    }

    @Test
    void runTakesAdaptersFromDiskAndFromASentence() throws Exception {
        String adapter = folder.resolve("a").toString();
        try (Backend backend = Backend.best(); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend)) {
            Tiny.adapter(lm.config(), 3, 1).save(folder.resolve("a"));
        }
        String base = json("run", "--base", BASE, "--raw", "--max-tokens", "12", "--json", "once").get("text").asText();
        String adapted = json("run", "--base", BASE, "--raw", "--max-tokens", "12", "--json", "--adapter", adapter, "once").get("text").asText();
        assertNotEquals(base, adapted);
        assertEquals(base, json("run", "--base", BASE, "--raw", "--max-tokens", "12", "--json", "--adapter", adapter + ":0", "once").get("text").asText());
        String opposite = json("run", "--base", BASE, "--raw", "--max-tokens", "12", "--json", "--adapter", adapter + ":-3", "once").get("text").asText();
        assertNotEquals(opposite, json("run", "--base", BASE, "--raw", "--max-tokens", "12", "--json", "--adapter", adapter + ":3", "once").get("text").asText());
        String both = json("run", "--base", BASE, "--raw", "--max-tokens", "12", "--json", "--adapter", adapter + ":-3", "--t2l", T2L, "--task", TASK, "--stats",
                "once").get("text").asText();
        assertTrue(err.toString().startsWith("adapter from the sentence in "), err.toString());
        assertEquals(library(Tiny.BASE, lm -> {
            try (TextToLora t2l = TextToLora.load(Tiny.T2L, lm)) {
                return Request.raw("once", AdapterMix.of(new AdapterMix.Part(lm.loadAdapter(folder.resolve("a")), -3),
                        new AdapterMix.Part(t2l.generate(TASK), 1)), few());
            }
        }).text(), both);
    }

    @Test
    void tokensMayChooseAmongAdapters() throws Exception {
        List<String> args = new ArrayList<>(List.of("run", "--base", BASE, "--raw", "--max-tokens", "12", "--json"));
        try (Backend backend = Backend.best(); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend)) {
            for (int i = 0; i < 4; i++) {
                Tiny.adapter(lm.config(), 2, i).save(folder.resolve("a" + i));
                args.addAll(List.of("--adapter", folder.resolve("a" + i) + ":2"));
            }
        }
        args.addAll(List.of("--arrow", "--arrow-top-k", "2", "--arrow-temperature", "0.5", "once"));
        String text = json(args.toArray(String[]::new)).get("text").asText();
        assertEquals(library(Tiny.BASE, lm -> {
            List<AdapterMix.Part> parts = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                parts.add(new AdapterMix.Part(lm.loadAdapter(folder.resolve("a" + i)), 2));
            }
            return Request.raw("once", AdapterRouter.arrow(parts, 2, 0.5f, lm.backend()), few());
        }).text(), text);
        assertEquals(1, t2l("run", "--base", BASE, "--raw", "--arrow", "once"));
        assertOneLine("t2l run: ", "no adapter to choose");
    }

    /** A hypernetwork that says that it reads inputs. */
    private Path readingInputs() throws IOException {
        Path t2l = Tiny.copy(Tiny.T2L, folder.resolve("inputs"));
        Files.writeString(t2l.resolve("args.yaml"), Files.readString(t2l.resolve("args.yaml")).replaceAll("use_(inp_as_desc|per_task_emb):.*\n", "") + "use_inp_as_desc: true\n");
        return t2l;
    }

    @Test
    void eachPromptMayMakeItsAdapter() throws Exception {
        String inputs = readingInputs().toString();
        String text = json("run", "--base", BASE, "--raw", "--max-tokens", "12", "--json", "--t2l", inputs, "once").get("text").asText();
        assertEquals(json("run", "--base", BASE, "--raw", "--max-tokens", "12", "--json", "--t2l", T2L, "--task", "once", "once").get("text").asText(), text);
        done("adapt", "once", "--t2l", inputs, "--input", "--base", BASE, "--out", folder.resolve("a").toString());
        assertEquals(text, json("run", "--base", BASE, "--raw", "--max-tokens", "12", "--json", "--adapter", folder.resolve("a").toString(), "once").get("text").asText());
        assertEquals(1, t2l("run", "--base", BASE, "--raw", "--t2l", inputs, "--task", TASK, "once"));
        assertOneLine("t2l run: ", "HINT");
        assertEquals(1, t2l("adapt", TASK, "--t2l", inputs, "--base", BASE, "--out", folder.resolve("b").toString()));
        assertOneLine("t2l adapt: ", "--input");
        assertWrongUsage("--task is missing", "run", "--base", BASE, "--raw", "--t2l", T2L, "once");
    }

    @Test
    void withoutAPromptItIsAConversation() throws Exception {
        Path base = Tiny.withChatTemplate(folder.resolve("chatty"));
        System.setIn(new ByteArrayInputStream("first\n\nzwölf\n".getBytes(StandardCharsets.UTF_8)));
        done("run", "--base", base.toString(), "--system", "be brief", "--max-tokens", "5");
        List<String> answers = new ArrayList<>();
        Chat chat = Chat.system("be brief");
        for (String message : List.of("first", "zwölf")) {
            Chat asked = chat.thenUser(message);
            answers.add(library(base, _ -> Request.of(asked, Adaptation.none(), few().withMaxTokens(5))).text());
            chat = asked.thenAssistant(answers.getLast());
        }
        assertEquals(String.join(System.lineSeparator(), answers) + System.lineSeparator(), out.toString());
    }

    private void assertOneLine(String start, String part) {
        assertEquals(1, err.toString().lines().count(), err.toString());
        assertTrue(err.toString().startsWith(start) && err.toString().contains(part), err.toString());
        assertEquals("", out.toString());
    }

    private void assertWrongUsage(String part, String... args) {
        assertEquals(2, t2l(args), String.join(" ", args));
        assertTrue(err.toString().contains(part), err.toString());
        assertEquals("", out.toString());
    }

    @Test
    void wrongUsage() {
        assertWrongUsage("--base", "run", "once");
        assertWrongUsage("--task", "run", "--base", BASE, "--t2l", T2L, "once");
        assertWrongUsage("--json need a prompt", "run", "--base", BASE, "--json");
        assertWrongUsage("temperature must be 0 or more", "run", "--base", BASE, "--temperature", "-1", "once");
        assertWrongUsage("too large", "run", "--base", BASE, "--adapter", "a:1e99", "once");
        assertWrongUsage("--out", "adapt", TASK, "--t2l", T2L);
        assertWrongUsage("HINT", "adapt", TASK, "--t2l", T2L, "--out", "x.gguf");
        assertWrongUsage("--type", "adapt", TASK, "--t2l", T2L, "--out", "x", "--type", "q3");
    }

    @Test
    void aFailureIsOneLine() throws Exception {
        assertEquals(1, t2l("run", "--base", BASE, "once"));
        assertOneLine("t2l run: ", "--raw");
        assertEquals(1, t2l("run", "--base", "no/such", "--raw", "once"));
        assertOneLine("t2l run: ", "--download");
        assertEquals(1, t2l("adapt", TASK, "--t2l", T2L, "--out", folder.resolve("x").toString()));
        assertOneLine("t2l adapt: ", "HINT");
        Path broken = Files.createDirectory(folder.resolve("broken"));
        try (Backend backend = Backend.best(); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend)) {
            Tiny.adapter(lm.config(), 3, 1).save(broken);
        }
        byte[] bytes = Files.readAllBytes(broken.resolve("adapter_model.safetensors"));
        Files.write(broken.resolve("adapter_model.safetensors"), Arrays.copyOf(bytes, bytes.length / 2));
        assertEquals(1, t2l("run", "--base", BASE, "--adapter", broken.toString(), "--raw", "once"));
        assertOneLine("t2l run: ", "adapter_model.safetensors");
    }
}
