package dev.t2l.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import dev.t2l.Tiny;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command line in a JVM of its own, on the module path and on the class path: it must say nothing on standard error. */
class LaunchTest {
    @TempDir
    Path folder;

    /** @param ended when the process was gone, in ms of the system's clock */
    private record Outcome(int code, String out, String err, long ended) {
    }

    private Outcome java(List<String> arguments) throws IOException, InterruptedException {
        return java(arguments, Map.of());
    }

    private Outcome java(List<String> arguments, Map<String, String> environment) throws IOException, InterruptedException {
        var command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        command.addAll(arguments);
        Path out = folder.resolve("out");
        Path err = folder.resolve("err");
        var builder = new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
        builder.environment().keySet().removeAll(List.of("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"));
        builder.environment().putAll(environment);
        Process process = builder.start();
        if (!process.waitFor(120, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new AssertionError("no end after two minutes: " + command);
        }
        return new Outcome(process.exitValue(), Files.readString(out), Files.readString(err), System.currentTimeMillis());
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
        assertDoctor(java(List.of("-p", runtime(), "--enable-native-access=dev.t2l,jcuda", "-m", "dev.t2l/dev.t2l.cli.Main", "doctor")));
    }

    @Test
    void runsOnTheClassPath() throws Exception {
        assertDoctor(java(List.of("-cp", runtime(), "--enable-native-access=ALL-UNNAMED", "dev.t2l.cli.Main", "doctor")));
    }

    @Test
    void writesJsonFromAModule() throws Exception {
        Outcome outcome = java(List.of("-p", runtime(), "--enable-native-access=dev.t2l,jcuda", "-m", "dev.t2l/dev.t2l.cli.Main", "doctor", "--json"));
        assertEquals("", outcome.err());
        assertTrue(outcome.out().contains("\"backends\" : ["), outcome.out());
    }

    /** A Java made without java.desktop has nothing to draw with: everything else works. */
    @Test
    void aPlotIsAWarningWhereJavaCannotDraw() throws Exception {
        Path run = Files.createDirectories(folder.resolve("run"));
        Files.writeString(run.resolve("metrics.jsonl"), "{\"step\": 1, \"loss\": 2.5}\n");
        Outcome outcome = java(List.of("--limit-modules", "java.logging,java.net.http,java.xml,jdk.unsupported", "-cp", runtime(), "--enable-native-access=ALL-UNNAMED",
                "dev.t2l.cli.Main", "plot", run.toString()));
        assertEquals(0, outcome.code(), outcome.err());
        assertTrue(outcome.err().startsWith("warning: nothing is drawn: NoClassDefFoundError: java/awt/"), outcome.err());
        assertEquals(1, outcome.err().lines().count(), outcome.err());
        assertFalse(Files.exists(run.resolve("metrics.svg")));
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
        Outcome outcome = java(List.of("-p", runtime(), "--add-modules", "dev.t2l", "--enable-native-access=dev.t2l,jcuda,ai.djl.tokenizers,com.sun.jna",
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

    /** What an application that embeds the module does, down to forgetting to close: its JVM ends normally and at once. */
    @Test
    void aModelLeftOpenDoesNotHoldTheJvm() throws Exception {
        Path source = folder.resolve("LeftOpen.java");
        Files.writeString(source, """
                import dev.t2l.*;
                import java.nio.file.Path;

                class LeftOpen {
                    public static void main(String... args) {
                        var lm = LanguageModel.load(Path.of(args[1]), dev.t2l.backend.Backend.best());
                        var adapter = TextToLora.load(Path.of(args[0]), lm).generate("Answer with yes or no.");
                        var request = Request.raw("once", adapter, Sampling.greedy().withMaxTokens(5));
                        Thread.ofVirtual().start(() -> lm.generate(request)); // not waited for, either
                        System.out.println(lm.generate(request).tokens().length);
                        System.out.println(System.currentTimeMillis());
                    }
                }
                """);
        Outcome outcome = java(List.of("-p", runtime(), "--add-modules", "dev.t2l", "--enable-native-access=dev.t2l,jcuda,ai.djl.tokenizers,com.sun.jna",
                "-Dai.djl.offline=true", source.toString(), Tiny.T2L.toString(), Tiny.BASE.toString()));
        assertEquals(0, outcome.code(), outcome.err());
        List<String> lines = outcome.out().lines().toList();
        assertEquals("5", lines.getFirst());
        long millis = outcome.ended() - Long.parseLong(lines.getLast());
        assertTrue(millis < 5000, "ended " + millis + " ms after its main method");
        assertFalse(outcome.err().contains("WARN"), outcome.err());
    }

    /** A hub id is looked up in the cache; only {@code --download} asks the hub. */
    @Test
    void nothingIsDownloadedUnasked() throws Exception {
        var asked = new AtomicInteger();
        HttpServer hub = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        hub.createContext("/", exchange -> {
            asked.incrementAndGet();
            exchange.sendResponseHeaders(404, -1);
            exchange.close();
        });
        hub.start();
        try {
            var environment = Map.of("HF_ENDPOINT", "http://localhost:" + hub.getAddress().getPort(), "HF_HOME", folder.resolve("cache").toString());
            List<String> run = List.of("-cp", runtime(), "--enable-native-access=ALL-UNNAMED", "dev.t2l.cli.Main", "run", "--base", "owner/model", "once");
            Outcome offline = java(run, environment);
            assertEquals(1, offline.code(), offline.out());
            assertEquals(1, offline.err().lines().count(), offline.err());
            assertTrue(offline.err().contains("--download"), offline.err());
            assertEquals(0, asked.get());
            Outcome online = java(Stream.concat(run.stream(), Stream.of("--download")).toList(), environment);
            assertEquals(1, online.code(), online.out());
            assertTrue(asked.get() > 0, online.err());
        } finally {
            hub.stop(0);
        }
    }
}
