package dev.t2l.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command line in a JVM of its own, on the module path and on the class path: it must say nothing on standard error. */
class LaunchTest {
    @TempDir
    Path folder;

    private record Outcome(int code, String out, String err) {
    }

    private Outcome java(List<String> arguments) throws IOException, InterruptedException {
        var command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        command.addAll(arguments);
        Path out = folder.resolve("out");
        Path err = folder.resolve("err");
        var builder = new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
        builder.environment().keySet().removeAll(List.of("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"));
        Process process = builder.start();
        if (!process.waitFor(120, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new AssertionError("no end after two minutes: " + command);
        }
        return new Outcome(process.exitValue(), Files.readString(out), Files.readString(err));
    }

    /** The compiled classes and the jars they run on, as the build wrote them down. */
    private static String runtime() throws IOException {
        return Path.of("target/classes") + System.getProperty("path.separator") + Files.readString(Path.of("target/runtime.classpath")).strip();
    }

    private static void assertDoctor(Outcome outcome) {
        assertEquals("", outcome.err());
        assertEquals(0, outcome.code());
        assertTrue(outcome.out().contains("backend java"), outcome.out());
    }

    @Test
    void runsAsAModule() throws Exception {
        assertDoctor(java(List.of("-p", runtime(), "--enable-native-access=dev.t2l", "-m", "dev.t2l/dev.t2l.cli.Main", "doctor")));
    }

    @Test
    void runsOnTheClassPath() throws Exception {
        assertDoctor(java(List.of("-cp", runtime(), "--enable-native-access=ALL-UNNAMED", "dev.t2l.cli.Main", "doctor")));
    }

    @Test
    void writesJsonFromAModule() throws Exception {
        Outcome outcome = java(List.of("-p", runtime(), "--enable-native-access=dev.t2l", "-m", "dev.t2l/dev.t2l.cli.Main", "doctor", "--json"));
        assertEquals("", outcome.err());
        assertTrue(outcome.out().contains("\"backends\" : ["), outcome.out());
    }

    /** The tokenizers, automatic modules with native code of their own, work beside the module with the flags that README gives. */
    @Test
    void tokenizersWorkOnTheModulePath() throws Exception {
        Path tokenizer = Files.writeString(folder.resolve("tokenizer.json"), """
                {"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"},
                 "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "one": 1, "sentence": 2}, "unk_token": "[UNK]"}}
                """);
        Path source = folder.resolve("Tokens.java");
        Files.writeString(source, """
                class Tokens {
                    public static void main(String... args) throws Exception {
                        var options = java.util.Map.of("truncation", "false", "padding", "false");
                        try (var tokenizer = ai.djl.huggingface.tokenizers.HuggingFaceTokenizer.newInstance(java.nio.file.Path.of(args[0]), options)) {
                            System.out.println(java.util.Arrays.toString(tokenizer.encode("one long sentence").getIds()));
                        }
                    }
                }
                """);
        Outcome outcome = java(List.of("-p", runtime(), "--add-modules", "dev.t2l", "--enable-native-access=dev.t2l,ai.djl.tokenizers,com.sun.jna",
                "-Dai.djl.offline=true", source.toString(), tokenizer.toString()));
        assertEquals("[1, 0, 2]\n", outcome.out());
        assertFalse(outcome.err().contains("WARN") || outcome.err().contains("SLF4J"), outcome.err());
    }

    /** Libraries that log through SLF4J find a provider, and their records come out as plain lines. */
    @Test
    void carriesTheRecordsOfLibraries() throws Exception {
        Path source = folder.resolve("Logs.java");
        Files.writeString(source, """
                class Logs {
                    public static void main(String... args) throws Exception {
                        var configure = Class.forName("dev.t2l.cli.ConsoleLogging").getDeclaredMethod("configure", java.io.PrintWriter.class, boolean.class);
                        configure.setAccessible(true);
                        configure.invoke(null, new java.io.PrintWriter(System.err, true), false);
                        org.slf4j.LoggerFactory.getLogger("ai.djl.Library").info("quiet");
                        org.slf4j.LoggerFactory.getLogger("ai.djl.Library").warn("heard");
                        System.getLogger("dev.t2l").log(System.Logger.Level.WARNING, "number {0}", 7);
                        System.getLogger("dev.t2l").log(System.Logger.Level.INFO, "silent");
                    }
                }
                """);
        Outcome outcome = java(List.of("-cp", runtime(), source.toString()));
        assertEquals(List.of("warning: heard", "warning: number 7"), outcome.err().lines().toList());
        assertEquals(0, outcome.code());
    }
}
