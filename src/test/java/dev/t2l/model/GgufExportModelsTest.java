package dev.t2l.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.Golden;
import dev.t2l.Models;
import dev.t2l.TextEncoder;
import dev.t2l.backend.Backend;
import dev.t2l.io.Gguf;
import dev.t2l.text.Tokenizer;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The real encoder through GGUF. */
@Tag("models")
class GgufExportModelsTest {
    private static final List<String> TEXTS = Stream.concat(
            Golden.cases("minilm").stream().flatMap(c -> Golden.description(c).path("texts").valueStream()).map(t -> t.asText()),
            Stream.of("Solve grade-school maths word problems, step by step.", "Caf\u00e9 na\u00efve, 12 hungry cats!", "\u6771\u4eac is a city; don't you [MASK] think? 3.14",
                    "Classify the sentiment of a film review as positive or negative.")).toList();

    @TempDir
    Path folder;

    private Path export(FileType type) {
        Path written = folder.resolve("minilm.gguf");
        try (var export = GgufExport.open(Models.require("all-MiniLM-L6-v2"))) {
            export.as(type).write(written);
        }
        return written;
    }

    /** Least cosine of the texts' vectors with the folder's; four bits leave 0.91 to 0.97 of so small a model. */
    @ParameterizedTest
    @CsvSource({"F32, 0.9999999", "F16, 0.999999", "Q8_0, 0.999", "Q4_0, 0.9", "Q4_1, 0.91"})
    void vectorsKeepTheirDirection(FileType type, double least) {
        Path written = export(type);
        try (Backend backend = Backend.best();
                TextEncoder original = TextEncoder.load(Models.require("all-MiniLM-L6-v2"), backend);
                TextEncoder encoder = TextEncoder.load(written, backend)) {
            float[][] want = original.embed(TEXTS);
            float[][] got = encoder.embed(TEXTS);
            for (int i = 0; i < want.length; i++) {
                double cosine = 0;
                for (int j = 0; j < want[i].length; j++) {
                    cosine += (double) want[i][j] * got[i][j];
                }
                assertTrue(cosine > least, type + ": cosine " + cosine + " of '" + TEXTS.get(i) + "'");
            }
        }
    }

    @Test
    void idsStayTheSame() {
        try (Tokenizer original = Tokenizer.load(Models.require("all-MiniLM-L6-v2")); Gguf file = Gguf.open(export(FileType.Q8_0)); Tokenizer written = Tokenizer.of(file)) {
            for (String text : TEXTS) {
                assertArrayEquals(original.encode(text, true, true), written.encode(text, true, true), text);
            }
        }
    }
}
