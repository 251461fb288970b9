package dev.t2l.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.t2l.io.FormatException;
import dev.t2l.io.Gguf;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What files say about a tokeniser, and which are refused. */
class TokenizerFilesTest {
    private static final String WORD_LEVEL = """
            {"truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
             "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "?"},
             "added_tokens": [{"id": 5, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
                              {"id": 6, "content": "<tool>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": false}],
             "normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"}, "post_processor": null, "decoder": null,
             "model": {"type": "WordLevel", "vocab": {"?": 0, "a": 1, "b": 2, "c": 3, "</s>": 5}, "unk_token": "?"}}""";

    private static String reason(Path folder) {
        return assertThrows(FormatException.class, () -> Tokenizer.load(folder).close()).getMessage();
    }

    @Test
    void truncationAndPaddingOfTheFileAreOff(@TempDir Path folder) throws Exception {
        Files.writeString(folder.resolve("tokenizer.json"), WORD_LEVEL);
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            assertArrayEquals(new int[] {1, 2, 3, 0, 1}, tokenizer.encode("a b c d a", true, true));
            assertEquals("a b c ? a", tokenizer.decode(new int[] {1, 2, 3, 0, 1}));
            assertEquals(7, tokenizer.vocabularySize());
            assertEquals("", tokenizer.token(4), "an id without a token");
        }
    }

    @Test
    void aSpecialTokenThatIsAWordOfTheVocabularyStaysTextInData(@TempDir Path folder) throws Exception {
        Files.writeString(folder.resolve("tokenizer.json"), WORD_LEVEL);
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            assertArrayEquals(new int[] {1, 5}, tokenizer.encode("a </s>", false, true));
            assertArrayEquals(new int[] {1, 0}, tokenizer.encode("a </s>", false, false));
            assertArrayEquals(new int[] {0, 5}, tokenizer.encode(List.of(Segment.data("</s>"), Segment.template("</s>")), false));
        }
    }

    @Test
    void aMarkerOfTheTemplateIsNotReadInDataAndOtherAddedTokensAre(@TempDir Path folder) throws Exception {
        Files.writeString(folder.resolve("tokenizer.json"), WORD_LEVEL);
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            assertArrayEquals(new int[] {6}, tokenizer.encode(List.of(Segment.data("<tool>")), false));
            assertArrayEquals(new int[] {6, 0}, tokenizer.encode(List.of(Segment.template("<tool>"), Segment.data("<tool>")), false));
        }
    }

    @Test
    void theFolderNamesTheSpecialTokens(@TempDir Path folder) throws Exception {
        Files.writeString(folder.resolve("tokenizer.json"), WORD_LEVEL);
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"bos_token\": {\"content\": \"a\"}, \"pad_token\": null}");
        Files.writeString(folder.resolve("special_tokens_map.json"), "{\"eos_token\": \"</s>\", \"pad_token\": \"?\", \"unk_token\": \"?\"}");
        Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": [3, 5]}");
        Files.writeString(folder.resolve("config.json"), "{\"eos_token_id\": 2}");
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            assertEquals(1, tokenizer.bosId().orElseThrow());
            assertEquals(5, tokenizer.eosId().orElseThrow());
            assertEquals(0, tokenizer.paddingId().orElseThrow());
            assertEquals(Set.of(2, 3, 5), tokenizer.endOfGenerationIds());
        }
    }

    @Test
    void useAfterCloseIsRefusedAndASecondCloseHarmless(@TempDir Path folder) throws Exception {
        Files.writeString(folder.resolve("tokenizer.json"), WORD_LEVEL);
        Tokenizer tokenizer = Tokenizer.load(folder);
        tokenizer.close();
        tokenizer.close();
        assertThrows(IllegalStateException.class, () -> tokenizer.encode("a", false, false));
    }

    @Test
    void anIdOutsideTheVocabularyIsRefused(@TempDir Path folder) throws Exception {
        Files.writeString(folder.resolve("tokenizer.json"), WORD_LEVEL);
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            assertThrows(IllegalArgumentException.class, () -> tokenizer.decode(new int[] {7}));
            assertThrows(IllegalArgumentException.class, () -> tokenizer.token(-1));
        }
    }

    @Test
    void halfASurrogatePairIsAReplacementCharacter(@TempDir Path folder) throws Exception {
        Files.writeString(folder.resolve("tokenizer.json"), WORD_LEVEL.replace("\"c\"", "\"\\uFFFD\""));
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            assertArrayEquals(new int[] {3, 1}, tokenizer.encode("\uD83D a", false, false));
        }
    }

    @Test
    void aFolderWithoutATokeniserSaysWhatWasWanted(@TempDir Path folder) {
        assertTrue(reason(folder).contains("tokenizer.json, tokenizer.model, vocab.txt"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "[]", "{\"model\":", "{}", "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": -1}, \"merges\": []}}", "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 99999999}, \"merges\": []}}",
        "{\"model\": {\"type\": \"None\", \"vocab\": {\"a\": 0}}}"})
    void aBrokenTokenizerJsonIsRefused(String text, @TempDir Path folder) throws Exception {
        Files.writeString(folder.resolve("tokenizer.json"), text);
        assertTrue(reason(folder).contains("tokenizer.json"), reason(folder));
    }

    @Test
    void sentencePieceAsTheReferenceDoes(@TempDir Path folder) throws Exception {
        Files.write(folder.resolve("tokenizer.model"), resource("tokenizer.model"));
        ObjectMapper json = new ObjectMapper();
        try (Tokenizer tokenizer = Tokenizer.load(folder)) {
            for (String line : new String(resource("expected.jsonl"), StandardCharsets.UTF_8).split("\n")) {
                JsonNode expected = json.readTree(line);
                int[] ids = json.convertValue(expected.path("ids"), int[].class);
                assertArrayEquals(ids, tokenizer.encode(expected.path("text").asText(), false, false), line);
                assertEquals(expected.path("decoded").asText(), tokenizer.decode(ids), line);
            }
        }
    }

    private static byte[] resource(String name) throws Exception {
        try (var in = TokenizerFilesTest.class.getResourceAsStream("spm_normalised/" + name)) {
            return in.readAllBytes();
        }
    }

    @Test
    void everyCutOfASentencePieceModelIsRefusedOrReadWithoutACrash(@TempDir Path folder) throws Exception {
        byte[] whole = resource("tokenizer.model");
        for (int length = 0; length < whole.length; length += 61) {
            Files.write(folder.resolve("tokenizer.model"), Arrays.copyOf(whole, length));
            assertThrows(FormatException.class, () -> Tokenizer.load(folder), "the first " + length + " bytes are no BPE model");
        }
    }

    @Test
    void aUnigramModelIsRefusedByName(@TempDir Path folder) throws Exception {
        ByteArrayOutputStream model = new ByteArrayOutputStream();
        model.write(new byte[] {0x0A, 3, 0x0A, 1, 'a', 0x12, 2, 0x18, 1});
        Files.write(folder.resolve("tokenizer.model"), model.toByteArray());
        assertTrue(reason(folder).contains("unigram"), reason(folder));
    }

    @Test
    void vocabTxtFollowsTheConfigurationsCase(@TempDir Path folder) throws Exception {
        Files.write(folder.resolve("vocab.txt"), List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "The", "é", "e", "##s", "中"));
        try (Tokenizer cased = Tokenizer.load(folder)) {
            assertArrayEquals(new int[] {2, 5, 4, 6, 9, 3}, cased.encode("The the é中", true, true), "a vocabulary with capitals is cased");
        }
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"do_lower_case\": true, \"strip_accents\": null}");
        try (Tokenizer uncased = Tokenizer.load(folder)) {
            assertArrayEquals(new int[] {2, 4, 4, 7, 8, 1, 3}, uncased.encode("The the ÉS x", true, true));
            assertEquals("[CLS] the es [SEP]", uncased.decode(new int[] {2, 4, 7, 8, 3}));
            assertEquals("the es", uncased.decode(new int[] {2, 4, 7, 8, 3}, true));
        }
    }

    @Test
    void anUnknownKindOfGgufVocabularyIsRefusedByName(@TempDir Path folder) {
        Map<String, Object> metadata = new LinkedHashMap<>();
        metadata.put("general.architecture", "llama");
        metadata.put("tokenizer.ggml.model", "rwkv");
        metadata.put("tokenizer.ggml.tokens", new String[] {"a"});
        assertTrue(ggufReason(folder, metadata).contains("'rwkv'"));
        metadata.put("tokenizer.ggml.model", "gpt2");
        metadata.put("tokenizer.ggml.pre", "brand-new");
        assertTrue(ggufReason(folder, metadata).contains("'brand-new'"));
        metadata.put("tokenizer.ggml.pre", "gpt-2");
        metadata.put("tokenizer.ggml.merges", new String[] {"a b"});
        assertTrue(ggufReason(folder, metadata).contains("'a b'"));
        metadata.put("tokenizer.ggml.token_type", new int[] {1, 1});
        assertTrue(ggufReason(folder, metadata).contains("token_type"));
        metadata.put("tokenizer.ggml.token_type", new int[] {9});
        assertTrue(ggufReason(folder, metadata).contains("token type 9"));
        metadata.put("tokenizer.ggml.token_type", new int[] {1});
        metadata.put("tokenizer.ggml.merges", new String[0]);
        metadata.put("tokenizer.ggml.eos_token_id", 1);
        assertTrue(ggufReason(folder, metadata).contains("eos_token_id"));
    }

    private static String ggufReason(Path folder, Map<String, Object> metadata) {
        Path file = folder.resolve("vocab.gguf");
        Gguf.write(file, metadata, Map.of());
        try (Gguf gguf = Gguf.open(file)) {
            String message = assertThrows(FormatException.class, () -> Tokenizer.of(gguf)).getMessage();
            assertTrue(message.contains("vocab.gguf"), message);
            return message;
        }
    }
}
