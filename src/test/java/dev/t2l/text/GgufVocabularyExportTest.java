package dev.t2l.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.io.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What of a folder's files goes into the metadata, and what is refused, on a vocabulary of three letters. */
class GgufVocabularyExportTest {
    private static final String GPT2 = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": true}";

    @TempDir
    Path folder;

    private void tokenizer(String preTokenizer, String normalizer, boolean strips) throws IOException {
        Files.writeString(folder.resolve("tokenizer.json"), """
                {"version": "1.0", "normalizer": %s, "pre_tokenizer": %s, "post_processor": null, "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
                 "added_tokens": [{"id": 4, "content": "<end>", "special": true, "normalized": false, "single_word": false, "lstrip": false, "rstrip": false},
                                  {"id": 5, "content": "<more>", "special": false, "normalized": false, "single_word": false, "lstrip": %s, "rstrip": %s},
                                  {"id": 6, "content": "<stop>", "special": true, "normalized": false, "single_word": false, "lstrip": false, "rstrip": false}],
                 "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "\u0120": 3}, "merges": [["a", "b"]]}}
                """.formatted(normalizer, preTokenizer, strips, strips));
    }

    private void plainTokenizer() throws IOException {
        tokenizer(GPT2, "null", false);
    }

    private Map<String, Object> metadata() {
        return GgufVocabularyExport.metadata(folder, 9);
    }

    @Test
    void tokensTypesAndRolesComeFromTheFolder() throws IOException {
        plainTokenizer();
        Files.writeString(folder.resolve("tokenizer_config.json"), """
                {"eos_token": "<end>", "chat_template": [{"name": "default", "template": "{{ x }}"}, {"name": "tool_use", "template": "{{ y }}"}]}""");
        Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": [4, 6]}");
        Map<String, Object> metadata = metadata();
        assertEquals("gpt2", metadata.get("tokenizer.ggml.model"));
        assertEquals("gpt-2", metadata.get("tokenizer.ggml.pre"));
        assertArrayEquals(new String[] {"a", "b", "ab", "\u0120", "<end>", "<more>", "<stop>", "[PAD7]", "[PAD8]"}, (String[]) metadata.get("tokenizer.ggml.tokens"));
        assertArrayEquals(new int[] {1, 1, 1, 1, 3, 4, 3, 5, 5}, (int[]) metadata.get("tokenizer.ggml.token_type"));
        assertArrayEquals(new String[] {"a b"}, (String[]) metadata.get("tokenizer.ggml.merges"));
        assertEquals(4, metadata.get("tokenizer.ggml.eos_token_id"));
        assertEquals(6, metadata.get("tokenizer.ggml.eot_token_id"), "ends a generation, which only generation_config.json tells");
        assertEquals(false, metadata.get("tokenizer.ggml.add_bos_token"));
        assertEquals("{{ x }}", metadata.get("tokenizer.chat_template"));
        assertEquals("{{ y }}", metadata.get("tokenizer.chat_template.tool_use"));
    }

    @Test
    void whatGgufHasNoNameForIsRefused() throws IOException {
        tokenizer("{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Whitespace\"}, " + GPT2 + "]}", "null", false);
        refused("pre_tokenizer: GGUF has no name for {\"type\":\"Whitespace\"}");
        tokenizer("{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", \"pattern\": {\"Regex\": \"[a-z]+\"}, \"behavior\": \"Isolated\", \"invert\": false}, "
                + GPT2 + "]}", "null", false);
        refused("pre_tokenizer");
        tokenizer(GPT2, "{\"type\": \"Lowercase\"}", false);
        refused("normalizer: GGUF has no name for {\"type\":\"Lowercase\"}");
    }

    /** An added token that swallows the spaces around it is nothing that GGUF could say. */
    @Test
    void idsThatWouldDifferAreRefused() throws IOException {
        tokenizer(GPT2, "null", true);
        refused("'a <more> b' is [0, 5, 1], and would be [0, 3, 5, 3, 1]");
    }

    @Test
    void moreTokensThanRowsAreRefused() throws IOException {
        plainTokenizer();
        String message = assertThrows(FormatException.class, () -> GgufVocabularyExport.metadata(folder, 6)).getMessage();
        assertTrue(message.contains("7 tokens, the embedding table only 6 rows"), message);
    }

    @Test
    void aSentencePieceModelInJsonAloneIsRefused() throws IOException {
        Files.writeString(folder.resolve("tokenizer.json"), """
                {"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first"},
                 "model": {"type": "BPE", "vocab": {"\u2581": 0, "a": 1, "1": 2, "t": 3, "h": 4, "e": 5}, "merges": []}}""");
        refused("tokenizer.model");
    }

    @Test
    void aFolderWithoutTokeniserGivesNoVocabulary() {
        assertEquals(Map.of("tokenizer.ggml.model", "none"), metadata());
    }

    private void refused(String named) {
        String message = assertThrows(FormatException.class, this::metadata).getMessage();
        assertTrue(message.contains(named), message);
    }

    /** vocab.txt alone. */
    @Test
    void wordPiecesAreMarkedAtTheirStart() throws IOException {
        Files.write(folder.resolve("vocab.txt"), List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "sort", "##ing", "##"));
        Map<String, Object> metadata = metadata();
        assertArrayEquals(new String[] {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "\u2581sort", "ing", "", "[PAD8]"}, (String[]) metadata.get("tokenizer.ggml.tokens"));
        assertEquals(3, metadata.get("tokenizer.ggml.seperator_token_id"));
        assertEquals(2, metadata.get("tokenizer.ggml.bos_token_id"));
        assertEquals(4, metadata.get("tokenizer.ggml.mask_token_id"));
    }
}
