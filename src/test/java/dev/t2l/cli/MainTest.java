package dev.t2l.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.io.FormatException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Command;

class MainTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    /** A command whose job fails with a given exception. */
    @Command(name = "job", description = "Fails.")
    private record Job(Exception failure) implements Callable<Integer> {
        @Override
        public Integer call() throws Exception {
            System.getLogger("dev.t2l.job").log(System.Logger.Level.INFO, "about to fail");
            throw failure;
        }
    }

    private CommandLine line() {
        return Main.commandLine(new PrintWriter(out, true), new PrintWriter(err, true));
    }

    private int run(String... args) {
        return line().execute(args);
    }

    private int fail(Exception failure, String... options) {
        CommandLine line = line();
        line.addSubcommand(new Job(failure));
        String[] args = Stream.concat(Stream.of("job"), Stream.of(options)).toArray(String[]::new);
        return line.execute(args);
    }

    @AfterEach
    void quiet() {
        ConsoleLogging.configure(new PrintWriter(System.err, true), false);
        System.clearProperty("t2l.backend");
    }

    @Test
    void everyCommandHasHelpAndADescription() {
        assertEquals(0, run("--help"));
        for (CommandLine command : line().getSubcommands().values()) {
            String name = command.getCommandName();
            out.getBuffer().setLength(0);
            assertEquals(0, run(name, "--help"), name);
            assertTrue(out.toString().contains("Usage: t2l " + name), out.toString());
            assertTrue(command.getCommandSpec().usageMessage().description().length > 0, name + " has no description");
        }
        assertEquals("", err.toString());
    }

    @Test
    void wrongUsageIsTwoLinesAndCodeTwo() {
        assertEquals(2, run("doctor", "--jsno"));
        assertEquals(2, err.toString().lines().count(), err.toString());
        assertTrue(err.toString().startsWith("t2l doctor: Unknown option: '--jsno'"), err.toString());
        assertEquals(2, run());
        assertEquals(2, run("heal"));
        assertEquals("", out.toString());
    }

    @Test
    void aFailureIsOneLineWithItsCausesAndCodeOne() {
        var cause = new UncheckedIOException(new NoSuchFileException("/models/none"));
        assertEquals(1, fail(new IllegalStateException("cannot load the base model", cause)));
        assertEquals("t2l job: cannot load the base model: no such file or folder: /models/none\n", err.toString());
        assertEquals("", out.toString());
    }

    @Test
    void verboseTellsTheNewsAndTheStackTrace() {
        assertEquals(1, fail(new FormatException(Path.of("a.gguf"), "byte 12", "bad magic"), "--verbose"));
        assertEquals("about to fail", err.toString().lines().findFirst().orElseThrow());
        assertTrue(err.toString().contains("t2l job: a.gguf: byte 12: bad magic\n"), err.toString());
        assertTrue(err.toString().contains("\tat "), err.toString());
    }

    @Test
    void aMessageSaysWhatHappenedAndOnlyOnce() {
        assertEquals("NumberFormatException: For input string: \"x\"", FailureMessage.of(new NumberFormatException("For input string: \"x\"")));
        assertEquals("NullPointerException", FailureMessage.of(new NullPointerException()));
        var inner = new IOException("disc full; nothing\n   written");
        assertEquals("IOException: disc full; nothing; written", FailureMessage.of(new RuntimeException(inner)));
        assertEquals("saving: disc full", FailureMessage.of(new IllegalArgumentException("saving: disc full", new IllegalStateException("disc full"))));
        assertEquals("disc full; nothing; written", FailureMessage.of(new IllegalStateException(inner.getMessage(), inner)));
        var a = new IllegalStateException("a");
        a.initCause(new IllegalStateException("b", a));
        assertEquals("a: b", FailureMessage.of(a));
    }

    @Test
    void doctorReportsAsJson() throws IOException {
        assertEquals(0, run("doctor", "--json"));
        JsonNode report = new ObjectMapper().readTree(out.toString());
        assertEquals(Runtime.version().toString(), report.at("/java/version").asText());
        assertFalse(report.at("/version").asText().contains("$"), "the build did not fill in the version");
        for (JsonNode backend : report.at("/backends")) {
            boolean gpu = backend.get("name").asText().equals("cuda") && backend.get("available").asBoolean();
            assertEquals(gpu, !backend.get("details").isEmpty(), backend.toString());
        }
        assertTrue(report.at("/memory").asLong() > report.at("/freeMemory").asLong());
        assertEquals("java", report.at("/backends").valueStream().filter(b -> b.get("available").asBoolean()).map(b -> b.get("name").asText()).toList().getLast());
    }

    @Test
    void doctorFailsIfTheForcedBackendIsMissing() {
        System.setProperty("t2l.backend", "abacus");
        assertEquals(1, run("doctor"));
        assertTrue(out.toString().contains("no backend can be used; -Dt2l.backend=abacus"), out.toString());
    }
}
