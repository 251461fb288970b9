package dev.t2l.io;

import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.Golden;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;

/** The families of fixtures/formats: files with the word accept, reject or either in expected.json. */
final class FormatFamily {

    /** One file and what is expected of its reader. */
    record Case(Path path, String name, String expect, String why) {

        /** Opens the file; a refusal must be a FormatException that names the file, in good time. */
        void check(java.util.function.Consumer<Path> reader) {
            assertTimeoutPreemptively(Duration.ofSeconds(20), () -> {
                try {
                    reader.accept(path);
                    if (expect.equals("reject")) {
                        fail(name + " was accepted, yet: " + why);
                    }
                } catch (FormatException e) {
                    if (expect.equals("accept")) {
                        throw e;
                    }
                    String stem = path.getFileName().toString();
                    assertTrue(e.getMessage().contains(stem.substring(0, stem.indexOf('.'))), e.getMessage());
                    assertTrue(e.getMessage().length() < 1000, "a message of " + e.getMessage().length() + " characters");
                    assertTrue(!e.getMessage().endsWith("null"), e.getMessage());
                }
            });
        }
    }

    private FormatFamily() {
    }

    /** The files of {@code formats/<family>}; none if the family is absent. */
    static Stream<Case> files(String family) {
        Path folder = Golden.root().resolve("formats").resolve(family);
        if (!Files.isDirectory(folder)) {
            return Stream.empty();
        }
        JsonNode expected = Golden.json(folder.resolve("expected.json"));
        return expected.properties().stream().map(e -> new Case(folder.resolve(e.getKey()), family + "/" + e.getKey(),
                e.getValue().path("expect").asText(), e.getValue().path("why").asText()));
    }
}
