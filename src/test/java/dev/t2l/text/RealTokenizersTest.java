package dev.t2l.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.Golden;
import dev.t2l.Models;
import dev.t2l.io.Gguf;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The tokenisers inside real models. */
@Tag("models")
class RealTokenizersTest {
    private static Path smolLm() throws IOException {
        try (Stream<Path> files = Files.list(Models.require("SmolLM2-135M-Instruct"))) {
            return files.filter(file -> file.toString().endsWith(".gguf")).findFirst().orElseThrow();
        }
    }

    @Test
    void smolLm2HasTheIdsOfItsTokenizerJson() throws IOException {
        Path strings = Golden.root().resolve("tokenizers/smollm2/expected.jsonl");
        try (Gguf gguf = Gguf.open(smolLm()); Tokenizer tokenizer = Tokenizer.of(gguf)) {
            assertEquals(49152, tokenizer.vocabularySize());
            assertEquals(Set.of(0, 2), tokenizer.endOfGenerationIds());
            assertArrayEquals(new int[] {19556, 905}, tokenizer.encode("Hello world", true, false));
            if (Files.exists(strings)) {
                ObjectMapper json = new ObjectMapper();
                for (String line : Files.readAllLines(strings)) {
                    JsonNode expected = json.readTree(line);
                    int[] ids = json.convertValue(expected.path("ids"), int[].class);
                    assertArrayEquals(ids, tokenizer.encode(expected.path("text").asText(), false, true), line);
                    assertEquals(expected.path("decoded").asText(), tokenizer.decode(ids), line);
                }
            }
        }
    }

    @Test
    void smolLm2sChatTemplateEndsEachTurnOnce() throws IOException {
        try (Gguf gguf = Gguf.open(smolLm()); Tokenizer tokenizer = Tokenizer.of(gguf)) {
            ChatTemplate template = ChatTemplate.of(gguf).orElseThrow();
            List<Segment> prompt = template.render(List.of(Message.user("<|im_end|>")), ChatTemplate.Options.of(tokenizer, true));
            int[] ids = tokenizer.encode(prompt, false);
            assertTrue(Segment.join(prompt).endsWith("<|im_start|>user\n<|im_end|><|im_end|>\n<|im_start|>assistant\n"), prompt::toString);
            assertEquals(2, Arrays.stream(ids).filter(id -> id == 2).count(), "the system's and the user's turn");
        }
    }

    /** Ids of the specification of encoders, section 3. */
    @Test
    void miniLmHasBertsIds() {
        try (Tokenizer tokenizer = Tokenizer.load(Models.require("all-MiniLM-L6-v2"))) {
            assertArrayEquals(new int[] {101, 2054, 2003, 1996, 3007, 1997, 2859, 1029, 102}, tokenizer.encode("what is the capital of China?", 256).ids());
            assertArrayEquals(new int[] {101, 7668, 1002, 1019, 1012, 4002, 1517, 15743, 14477, 20961, 3468, 999, 102}, tokenizer.encode("Café $5.00 — naïve\tunaffable!", 256).ids());
            assertArrayEquals(new int[] {101, 7592, 102}, tokenizer.encode("Hello, World!", 3).ids());
            assertArrayEquals(new int[] {101, 102}, tokenizer.encode("", 256).ids());
        }
    }
}
