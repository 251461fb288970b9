package dev.t2l.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.Tiny;
import dev.t2l.demo.RecordedTier;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code t2l demo} on tiny models, and what a terminal shows of a recorded table. */
class DemoTest {
    @TempDir
    Path folder;
    private Path base;
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @BeforeEach
    void prepare() throws Exception {
        base = Tiny.withChatTemplate(folder.resolve("base"));
        Path config = base.resolve("config.json"); // its 128 positions are fewer than the longest prompt has bytes
        Files.writeString(config, Files.readString(config).replaceFirst("\"max_position_embeddings\": \\d+", "\"max_position_embeddings\": 1024"));
    }

    private int demo(String... more) {
        String[] arguments = Stream.concat(Stream.of("demo", "--base", base.toString(), "--t2l", Tiny.T2L.toString()), Stream.of(more))
                .toArray(String[]::new);
        return Main.commandLine(new PrintWriter(out, true), new PrintWriter(err, true)).execute(arguments);
    }

    @Test
    void ownSentenceAloneIsTried() {
        assertEquals(0, demo("--task", "Answer with yes or no.", "--prompt", "once"), err.toString());
        assertTrue(out.toString().contains("base model:") && out.toString().contains("own adapter:"), out.toString());
        assertTrue(out.toString().contains("how near they are is not known"), out.toString());
        assertFalse(out.toString().contains("(b)"));
    }

    @Test
    void theWholeDemoBecomesAPicture() throws Exception {
        Path svg = folder.resolve("demo.svg");
        assertEquals(0, demo("--svg", svg.toString()), err.toString());
        assertEquals(svg + System.lineSeparator(), out.toString());
        String text = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(svg.toFile()).getDocumentElement().getTextContent().replace('\u00a0', ' ');
        for (String part : List.of("$ ./t2l demo --base " + base + " --t2l ", "(a)", "(b)", "(c)", "(d)", "(f)", "There is none yet", "film title → its language", "got both answers right")) {
            assertTrue(text.contains(part), part + ": " + text);
        }
        assertFalse(text.contains("--svg"));
        assertFalse(Files.readString(svg).contains("\u001b"));
    }

    @Test
    void optionsThatDoNotGoTogetherAreWrongUsage() {
        assertEquals(2, demo("--task", "Answer."));
        assertEquals(2, demo("--web", "0", "--task", "Answer.", "--prompt", "x"));
        assertEquals(2, demo("--web", "65536"));
    }

    @Test
    void answersDoNotSteerTheTerminal() {
        try (var line = new AnswerLine(new Page(new PrintWriter(out, true), 80, false), "base: ")) {
            line.accept("no\rown: yes\u001b[2J\u0008\nend");
        }
        assertEquals("base: no\ufffdown: yes\ufffd[2J\ufffd\n      end\n", out.toString().replace(System.lineSeparator(), "\n"));
    }

    @Test
    void aRecordedTableIsNumberedAndLabelled() {
        var tier = new RecordedTier(new RecordedTier.About("The constant answer is ahead.", "abc1234", List.of("./t2l eval --data D"), "a GPU", "eval.log"),
                List.of(List.of("task", "constant answer", "t2l"), List.of("one", "23.4", "17.4 ± 2.0 *"), List.of("mean of 1", "23.4", "17.4"), List.of("95 % interval", "1 to 2", "3 to 4")),
                List.of(List.of("t2l less", "points"), List.of("constant", "-6.0")));
        new RecordedText(new Page(new PrintWriter(out, true), 80, false)).print(Optional.of(tier));
        String text = out.toString();
        for (String part : List.of("Recorded", "abc1234", "models/recorded/eval.log", " 1  constant answer", " 2  t2l", "23.4   17.4", "The constant answer is ahead.", "-6.0", "./t2l eval --data D")) {
            assertTrue(text.contains(part), part + " in " + text);
        }
        assertFalse(text.contains("±") || text.contains("1 to 2"), text);
    }

    @Test
    void aWideRecordedTableIsBroken() {
        List<String> numbers = IntStream.rangeClosed(1, 12).mapToObj(Integer::toString).toList();
        var tier = new RecordedTier(new RecordedTier.About("So it is.", "abc1234", List.of("./t2l eval"), "a GPU", "eval.log"), List.of(
                Stream.concat(Stream.of("task"), numbers.stream().map(n -> "column " + n)).toList(), Stream.concat(Stream.of("one_task"), numbers.stream().map(n -> n + ".5 *")).toList()), List.of());
        new RecordedText(new Page(new PrintWriter(out, true), 80, false)).print(Optional.of(tier));
        List<String> rows = out.toString().lines().filter(line -> line.contains("one_task")).toList();
        assertEquals(2, rows.size());
        assertTrue(rows.getFirst().endsWith("7.5") && rows.getLast().endsWith("12.5"), out.toString());
        assertTrue(out.toString().lines().allMatch(line -> line.length() <= 80), out.toString());
    }
}
