package dev.t2l.text;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.io.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/** Opens the tokeniser files of a model folder. */
final class TokenizerFiles {
    private static final List<String> BERT_SPECIALS = List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]");

    private TokenizerFiles() {
    }

    static Tokenizer load(Path file) {
        FolderConfig config = FolderConfig.of(file.toAbsolutePath().getParent());
        return switch (file.getFileName().toString()) {
            case "tokenizer.json" -> JsonTokenizer.load(file, config);
            case "tokenizer.model" -> sentencePiece(file, config);
            default -> wordPiece(file, config);
        };
    }

    private static Tokenizer sentencePiece(Path file, FolderConfig config) {
        SentencePieceModel model = SentencePieceModel.read(file);
        try {
            return model.tokenizer(config);
        } catch (IllegalArgumentException e) {
            throw new FormatException(file, "vocabulary", e.getMessage(), e);
        }
    }

    private static Tokenizer wordPiece(Path file, FolderConfig config) {
        List<String> tokens;
        try {
            tokens = Files.readAllLines(file);
        } catch (IOException e) {
            throw new FormatException(file, "text", "not readable as UTF-8 lines: " + e.getMessage(), e);
        }
        List<AddedToken> added = new ArrayList<>();
        List<TokenType> types = new ArrayList<>(Collections.nCopies(tokens.size(), TokenType.NORMAL));
        for (String special : BERT_SPECIALS) {
            int id = tokens.indexOf(special);
            if (id >= 0) {
                added.add(AddedToken.plain(id, special, true));
                types.set(id, TokenType.CONTROL);
            }
        }
        OptionalInt cls = find("[CLS]", tokens);
        OptionalInt sep = find("[SEP]", tokens);
        SpecialIds special = new SpecialIds(cls, sep, find("[UNK]", tokens), find("[PAD]", tokens), true, true, Set.of());
        Vocabulary vocabulary = new Vocabulary(tokens, new float[0], types, List.of(), special);
        JsonNode json = config.tokenizerConfig();
        boolean lowerCase = json.path("do_lower_case").asBoolean(!hasUpperCase(vocabulary));
        JsonNode accents = json.path("strip_accents");
        BertNormalizer normalizer = new BertNormalizer(lowerCase, accents.asBoolean(lowerCase), json.path("tokenize_chinese_chars").asBoolean(true));
        try {
            return new WordPieceTokenizer(vocabulary, new AddedTokens(added), normalizer);
        } catch (IllegalArgumentException e) {
            throw new FormatException(file, "vocabulary", e.getMessage(), e);
        }
    }

    private static OptionalInt find(String token, List<String> tokens) {
        int id = tokens.indexOf(token);
        return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
    }

    /** An uncased vocabulary has no capital Latin letter outside its special tokens. */
    static boolean hasUpperCase(Vocabulary vocabulary) {
        for (int id = 0; id < vocabulary.size(); id++) {
            String token = vocabulary.tokens().get(id);
            boolean ordinary = vocabulary.types().get(id) == TokenType.NORMAL && !(token.startsWith("[") && token.endsWith("]"));
            if (ordinary && token.chars().anyMatch(c -> c >= 'A' && c <= 'Z')) {
                return true;
            }
        }
        return false;
    }
}
