package dev.t2l.data;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JsonLinesTest {
    @TempDir
    Path folder;

    private static List<Integer> numbers(List<JsonNode> lines) {
        return lines.stream().map(line -> line.path("n").intValue()).toList();
    }

    /** A write that was torn is cut off; what else is damaged stays where it is, and nothing behind it is lost. */
    @Test
    void onlyATornEndIsCutOff() throws IOException {
        String whole = "{\"n\": 1}\nbroken{\n{\"m\": 2}\n{\"n\": 3}\n";
        for (String torn : List.of("", "{\"n\": 4", "{\"n\": 4\n", "{\"n\": 4}")) {
            Path file = Files.writeString(folder.resolve("lines.jsonl"), whole + torn);
            try (var lines = new JsonLines(file)) {
                lines.add(Map.of("n", 5));
            }
            assertEquals(whole + "{\"n\":5}\n", Files.readString(file));
            assertEquals(List.of(1, 0, 3, 5), numbers(JsonLines.read(file)));
            assertEquals(List.of(1, 3, 5), numbers(JsonLines.read(file, line -> line.has("n"))));
        }
    }

    @Test
    void fromTheFirstUnwantedLineOnItIsCutOff() throws IOException {
        Path file = Files.writeString(folder.resolve("lines.jsonl"), "{\"n\": 1}\n{\"n\": 2}\n{\"n\": 3}\n{\"n\": 1}\n");
        new JsonLines(file, line -> line.path("n").intValue() < 3).close();
        assertEquals(List.of(1, 2), numbers(JsonLines.read(file)));
    }
}
