package dev.t2l.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.t2l.io.FormatException;
import dev.t2l.io.Gguf;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A vocabulary with and without some tokens, tokenising the same texts. */
class VocabularySubsetTest {
    private static final List<String> TOKENS = List.of("[PAD]", "[unused0]", "film", "\u0444", "##\u0438", "[UNK]", "[CLS]", "[SEP]", "\u65e5", "##s", "!", "[unused99]", "\u00df", "\u0301", "\u00b2",
            "[MASK]", "caf", "##e", "\u05d0");
    private static final int[] ENGLISH_AND_SYMBOLS = {0, 2, 5, 6, 7, 9, 10, 12, 13, 14, 15, 16, 17};

    @TempDir
    Path folder;

    private GgufVocabularyExport.Subset without(Set<TokenGroup> groups) throws IOException {
        Files.write(folder.resolve("vocab.txt"), TOKENS);
        return GgufVocabularyExport.metadata(folder, TOKENS.size(), groups);
    }

    private Tokenizer tokenizer(Map<String, Object> metadata) {
        Path file = folder.resolve("written.gguf");
        Gguf.write(file, metadata, Map.of());
        try (Gguf gguf = Gguf.open(file)) {
            return Tokenizer.of(gguf);
        }
    }

    @Test
    void controlTokensLatinAndSymbolsStay() throws IOException {
        assertArrayEquals(ENGLISH_AND_SYMBOLS, without(EnumSet.allOf(TokenGroup.class)).rows());
        assertArrayEquals(new int[] {0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17, 18}, without(EnumSet.of(TokenGroup.UNUSED)).rows());
    }

    @Test
    void textsWithoutDroppedTokensAreSpeltByTheSameRows() throws IOException {
        GgufVocabularyExport.Subset subset = without(EnumSet.allOf(TokenGroup.class));
        try (Tokenizer whole = Tokenizer.load(folder); Tokenizer part = tokenizer(subset.metadata())) {
            for (String text : List.of("Films! film", "caf\u00e9 \u00b2", "unknownword film", "a [MASK] b [PAD]")) {
                int[] rows = Arrays.stream(part.encode(text, true, true)).map(id -> subset.rows()[id]).toArray();
                assertArrayEquals(whole.encode(text, true, true), rows, text);
            }
            int[] rows = Arrays.stream(part.encode("film \u0444\u0438 \u65e5!", true, true)).map(id -> subset.rows()[id]).toArray();
            assertArrayEquals(new int[] {6, 2, 5, 5, 10, 7}, rows, "words of other scripts are unknown");
        }
    }

    @Test
    void otherVocabulariesAreRefused() throws IOException {
        Path bytePairs = Path.of("src/test/golden/end_to_end/base_llm/base");
        FormatException e = assertThrows(FormatException.class, () -> GgufVocabularyExport.metadata(bytePairs, 2000, EnumSet.of(TokenGroup.UNUSED)));
        assertEquals(true, e.getMessage().contains("WordPiece"), e.getMessage());
    }
}
