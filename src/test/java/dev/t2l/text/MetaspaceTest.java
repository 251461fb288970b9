package dev.t2l.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A tokenizer.json of the SentencePiece kind: a word mark before the text but not after an added token, bytes for unknown characters, added
 * tokens that swallow spaces. Expected values: tokenizers 0.23.3.
 */
class MetaspaceTest {
    @TempDir
    Path folder;

    @BeforeEach
    void copyTokenizer() throws Exception {
        Files.write(folder.resolve("tokenizer.json"), resource("tokenizer.json"));
    }

    private static byte[] resource(String name) throws Exception {
        try (InputStream in = MetaspaceTest.class.getResourceAsStream("metaspace_first/" + name)) {
            return in.readAllBytes();
        }
    }

    private interface Check {
        void on(Tokenizer tokenizer, String text, int[] ids, JsonNode line);
    }

    private void forEveryLine(Check check) throws Exception {
        ObjectMapper json = new ObjectMapper();
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            for (String line : new String(resource("expected.jsonl"), StandardCharsets.UTF_8).split("\n")) {
                JsonNode expected = json.readTree(line);
                check.on(tokenizer, expected.path("text").asText(), json.convertValue(expected.path("ids"), int[].class), expected);
            }
        }
    }

    @Test
    void encodesAndDecodes() throws Exception {
        forEveryLine((tokenizer, text, ids, line) -> {
            assertArrayEquals(ids, tokenizer.encode(text, false, true), text);
            assertEquals(line.path("decoded").asText(), tokenizer.decode(ids), text);
            assertEquals(line.path("decoded_without_specials").asText(), tokenizer.decode(ids, true), text);
        });
    }

    /** The forbidden token at the end forces the text to be cut at the others, which must give the same ids. */
    @Test
    void cuttingAtControlTokensChangesNoId() throws Exception {
        forEveryLine((tokenizer, text, ids, line) -> {
            int[] cut = tokenizer.encode(List.of(Segment.template(text + "<|end|>"), Segment.data("</s>")), false);
            int[] whole = tokenizer.encode(text + "<|end|>", false, true);
            assertArrayEquals(whole, Arrays.copyOf(cut, whole.length), text);
            assertEquals(0, Arrays.stream(cut, whole.length, cut.length).filter(tokenizer::isSpecial).count(), text);
        });
    }
}
