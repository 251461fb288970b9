package dev.t2l.text;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.io.FormatException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The vocabulary of a tokenizer.json as plain lists, for formats that hold such lists and a name for the rest. */
final class VocabularyJson {
    private final TokenizerJson json;
    private final JsonNode root;

    private VocabularyJson(Path file) {
        json = TokenizerJson.read(file);
        root = FolderConfig.read(file);
    }

    static VocabularyJson read(Path file) {
        return new VocabularyJson(file);
    }

    boolean isWordPiece() {
        return model("type").asText().equals("WordPiece");
    }

    /** Byte-pair encoding over bytes, GPT-2's; not the kind that was made from a SentencePiece model. */
    boolean isBytePairs() {
        return (model("type").asText().equals("BPE") || model("merges").isArray()) && steps("pre_tokenizer", "pretokenizers").stream().anyMatch(s -> is(s, "ByteLevel"));
    }

    /** @param special the tokens with a role */
    Vocabulary vocabulary(SpecialIds special) {
        Map<Integer, AddedToken> added = new TreeMap<>();
        json.added().forEach(token -> added.put(token.id(), token));
        List<TokenType> types = new ArrayList<>();
        for (int id = 0; id < json.tokens().size(); id++) {
            AddedToken token = added.get(id);
            types.add(token != null ? token.special() ? TokenType.CONTROL : TokenType.USER_DEFINED : json.tokens().get(id).isEmpty() ? TokenType.UNUSED : TokenType.NORMAL);
        }
        return new Vocabulary(json.tokens(), new float[0], types, merges(), special);
    }

    private List<String> merges() {
        List<String> merges = new ArrayList<>();
        for (JsonNode merge : model("merges")) {
            merges.add(merge.isTextual() ? merge.asText() : merge.path(0).asText() + " " + merge.path(1).asText());
        }
        return merges;
    }

    /**
     * The name that GGUF has for the way in which words are split.
     *
     * @throws FormatException if it has none
     */
    String preTokenizer() {
        for (JsonNode step : steps("normalizer", "normalizers")) {
            if (!is(step, "NFC")) { // llama.cpp leaves texts as they are, and texts are mostly NFC
                throw problem("normalizer", step);
            }
        }
        for (String feature : List.of("dropout", "continuing_subword_prefix", "end_of_word_suffix")) {
            if (!model(feature).asText("").isEmpty() && !model(feature).isNull()) {
                throw problem("model." + feature, model(feature));
            }
        }
        List<String> expressions = new ArrayList<>();
        for (JsonNode step : steps("pre_tokenizer", "pretokenizers")) {
            switch (step.path("type").asText()) {
                case "Split" -> expressions.add(expression(step));
                case "Digits" -> expressions.add(step.path("individual_digits").asBoolean() ? "\\p{N}" : "\\p{N}+");
                case "ByteLevel" -> {
                    if (step.path("add_prefix_space").asBoolean(true)) {
                        throw problem("pre_tokenizer", step);
                    }
                    if (step.path("use_regex").asBoolean(true)) {
                        expressions.add(PreTokenizer.GPT2);
                    }
                }
                default -> throw problem("pre_tokenizer", step);
            }
        }
        return PreTokenizer.nameOf(expressions, model("ignore_merges").asBoolean()).orElseThrow(() -> problem("pre_tokenizer", root.path("pre_tokenizer")));
    }

    /** Words are the matches of an expression and what lies between them. */
    private String expression(JsonNode split) {
        JsonNode regex = split.path("pattern").path("Regex");
        String use = split.path("behavior").asText() + " " + split.path("invert").asBoolean();
        if (!regex.isTextual() || !use.equals("Isolated false") && !use.equals("Removed true")) {
            throw problem("pre_tokenizer", split);
        }
        return regex.asText();
    }

    /**
     * @throws FormatException if it is not the one WordPiece that GGUF means
     */
    void requireBert() {
        List<JsonNode> normalizers = steps("normalizer", "normalizers");
        List<JsonNode> splits = steps("pre_tokenizer", "pretokenizers");
        if (normalizers.size() != 1 || !is(normalizers.getFirst(), "BertNormalizer")) {
            throw problem("normalizer", root.path("normalizer"));
        }
        if (splits.size() != 1 || !is(splits.getFirst(), "BertPreTokenizer")) {
            throw problem("pre_tokenizer", root.path("pre_tokenizer"));
        }
        if (!model("continuing_subword_prefix").asText(WordPieceTokenizer.CONTINUATION).equals(WordPieceTokenizer.CONTINUATION)) {
            throw problem("model.continuing_subword_prefix", model("continuing_subword_prefix"));
        }
    }

    /** Whether texts are lower-cased. */
    boolean lowerCases() {
        return steps("normalizer", "normalizers").stream().anyMatch(s -> s.path("lowercase").asBoolean());
    }

    private FormatException problem(String key, JsonNode found) {
        return new FormatException(json.file(), key, "GGUF has no name for " + found + "; HINT: the model runs from its folder, with its tokenizer.json");
    }

    private JsonNode model(String key) {
        return root.path("model").path(key);
    }

    /** The parts of a sequence, or the one thing that is there. */
    private List<JsonNode> steps(String key, String parts) {
        JsonNode node = root.path(key);
        if (node.isMissingNode() || node.isNull()) {
            return List.of();
        }
        if (!is(node, "Sequence")) {
            return List.of(node);
        }
        List<JsonNode> steps = new ArrayList<>();
        node.path(parts).forEach(steps::add);
        return steps;
    }

    private static boolean is(JsonNode step, String type) {
        return step.path("type").asText().equals(type);
    }
}
