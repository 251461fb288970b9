package dev.t2l.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.Golden;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Sound files are shown, damaged ones give one line that names the file, and exit code 1. */
class InspectGoldenTest {
    @TestFactory
    Stream<DynamicTest> formats() throws IOException {
        Path root = Golden.root().resolve("formats");
        if (!Files.isDirectory(root)) {
            return Stream.empty();
        }
        try (Stream<Path> families = Files.list(root)) {
            List<Path> all = families.filter(f -> Files.exists(f.resolve("expected.json"))).sorted().toList();
            return all.stream().flatMap(family -> Golden.json(family.resolve("expected.json")).properties().stream()
                    .filter(e -> e.getValue().has("expect") && Files.exists(family.resolve(e.getKey())))
                    .map(e -> DynamicTest.dynamicTest(family.getFileName() + "/" + e.getKey(), () -> check(family.resolve(e.getKey()), e.getValue()))));
        }
    }

    private static void check(Path file, JsonNode expected) {
        var out = new StringWriter();
        var err = new StringWriter();
        int code = Main.commandLine(new PrintWriter(out, true), new PrintWriter(err, true)).execute("inspect", file.toString(), "--tensors");
        String expect = expected.path("expect").asText();
        if (!expect.equals("either")) {
            assertEquals(expect.equals("reject") ? 1 : 0, code, err.toString());
        }
        if (code == 1) {
            assertEquals(1, err.toString().lines().count(), err.toString());
            assertTrue(err.toString().startsWith("t2l inspect: " + file.getParent()), err.toString());
            assertEquals("", out.toString());
        } else {
            assertTrue(out.toString().startsWith("path"), out.toString());
            assertEquals("", err.toString());
        }
    }
}
