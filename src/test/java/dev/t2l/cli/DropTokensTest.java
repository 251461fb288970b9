package dev.t2l.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.TextEncoder;
import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import dev.t2l.io.Gguf;
import dev.t2l.tensor.DType;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code t2l export --drop-tokens}: a smaller encoder that reads English as the whole one does. */
class DropTokensTest {
    private static final int ROWS = 199;

    @TempDir
    Path folder;

    private Path export(Path source, String... more) {
        Path target = folder.resolve("out" + more.length + ".gguf");
        var err = new StringWriter();
        List<String> arguments = new ArrayList<>(List.of("export", source.toString(), "--out", target.toString(), "--type", "f16", "--tensor-type", "position_embd=f16"));
        arguments.addAll(List.of(more));
        assertEquals(0, Main.commandLine(new PrintWriter(new StringWriter()), new PrintWriter(err, true)).execute(arguments.toArray(String[]::new)), err.toString());
        return target;
    }

    @Test
    void whatIsLeftIsEncodedToTheSameBits() throws Exception {
        Path model = Tiny.copy(Path.of("src/test/golden/encoders/bert_prefixed/model"), folder.resolve("model"));
        List<String> tokens = new ArrayList<>(List.of("[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "\u65e5", "film", "\u0444", "name", "##s", "the", "."));
        for (int i = tokens.size(); i < ROWS; i++) {
            tokens.add(i % 2 == 0 ? "[unused" + i + "]" : "word" + i);
        }
        Files.write(model.resolve("vocab.txt"), tokens);
        Path whole = export(model);
        Path part = export(model, "--drop-tokens", "unused,non_latin");
        try (Gguf file = Gguf.open(part)) {
            assertEquals(ROWS - 1 - 2 - 93, file.weights().get("token_embd.weight").rows());
            assertEquals(DType.F16, file.weights().get("position_embd.weight").dtype());
        }
        try (Backend backend = Backend.best(); TextEncoder wanted = TextEncoder.load(whole, backend); TextEncoder found = TextEncoder.load(part, backend)) {
            for (String text : List.of("Name the films.", "the word15, unknown", "word197 word198")) {
                assertArrayEquals(wanted.embed(text), found.embed(text), text);
            }
        }
        assertTrue(Files.size(part) < Files.size(whole));
    }
}
