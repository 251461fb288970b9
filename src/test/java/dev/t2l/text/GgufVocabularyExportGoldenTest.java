package dev.t2l.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.Golden;
import dev.t2l.io.Gguf;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Vocabularies written as GGUF give the ids of the peers, and are those that the peers wrote. */
class GgufVocabularyExportGoldenTest {
    private static final int PADDING = 3;
    @TempDir
    Path folder;

    @TestFactory
    Stream<DynamicTest> vocabularies() {
        return Golden.cases("tokenizers").stream().filter(c -> Stream.of("tokenizer.json", "tokenizer.model").anyMatch(f -> Files.exists(c.resolve(f))))
                .map(c -> DynamicTest.dynamicTest(c.getFileName().toString(), () -> check(c)));
    }

    private void check(Path c) throws IOException {
        int size;
        try (Tokenizer tokenizer = Tokenizer.load(c)) {
            size = tokenizer.vocabularySize();
        }
        Path written = folder.resolve("vocabulary.gguf");
        Gguf.write(written, GgufVocabularyExport.metadata(c, size + PADDING), Map.of());
        try (Gguf file = Gguf.open(written); Tokenizer tokenizer = Tokenizer.of(file)) {
            assertEquals(size + PADDING, tokenizer.vocabularySize());
            assertEquals("[PAD" + size + "]", tokenizer.token(size));
            boolean framed = Files.exists(c.resolve("vocab.txt"));
            for (String line : Files.readAllLines(c.resolve("expected.jsonl"))) {
                JsonNode expected = new ObjectMapper().readTree(line);
                String text = expected.path("text").asText();
                assertArrayEquals(ints(expected.path("ids")), tokenizer.encode(text, framed, !Files.exists(c.resolve("tokenizer.model"))), line);
                if (expected.has("ids_with_specials")) {
                    assertArrayEquals(ints(expected.path("ids_with_specials")), tokenizer.encode(text, true, true), line);
                }
            }
            if (Files.exists(c.resolve("vocab.gguf"))) {
                try (Gguf peer = Gguf.open(c.resolve("vocab.gguf"))) {
                    assertPeer(peer, file, size);
                }
            }
            Path template = c.resolve("chat_template.jinja");
            assertEquals(Files.exists(template) ? Files.readString(template) : "", file.string("tokenizer.chat_template", ""));
        }
    }

    /** Ids with a role are left out: the folders of the cases do not tell them. */
    private static void assertPeer(Gguf peer, Gguf written, int size) {
        for (String key : List.of("tokenizer.ggml.model", "tokenizer.ggml.pre")) {
            assertEquals(peer.string(key), written.string(key), key);
        }
        assertArrayEquals(peer.strings("tokenizer.ggml.tokens"), java.util.Arrays.copyOf(written.strings("tokenizer.ggml.tokens"), size));
        assertArrayEquals(peer.ints("tokenizer.ggml.token_type"), java.util.Arrays.copyOf(written.ints("tokenizer.ggml.token_type"), size));
        if (peer.has("tokenizer.ggml.merges")) {
            assertArrayEquals(peer.strings("tokenizer.ggml.merges"), written.strings("tokenizer.ggml.merges"));
        }
        if (peer.has("tokenizer.ggml.scores")) {
            assertArrayEquals(peer.floats("tokenizer.ggml.scores"), java.util.Arrays.copyOf(written.floats("tokenizer.ggml.scores"), size));
        }
        for (String key : List.of("tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_space_prefix")) {
            assertTrue(!peer.has(key) || peer.bool(key) == written.bool(key), key);
        }
    }

    private static int[] ints(JsonNode array) {
        return array.valueStream().mapToInt(JsonNode::asInt).toArray();
    }
}
