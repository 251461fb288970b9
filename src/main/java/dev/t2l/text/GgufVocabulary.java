package dev.t2l.text;

import dev.t2l.io.Gguf;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;

/** The {@code tokenizer.ggml.*} metadata of a GGUF file (key names and defaults: ggml's docs/gguf.md and llama.cpp). */
final class GgufVocabulary {
    private static final String KEYS = "tokenizer.ggml.";
    private static final char WORD_START = '\u2581';

    private final Gguf gguf;
    private final List<String> tokens;
    private final List<TokenType> types;

    private GgufVocabulary(Gguf gguf) {
        this.gguf = gguf;
        tokens = List.of(gguf.strings(KEYS + "tokens"));
        types = new ArrayList<>(tokens.size());
        if (gguf.has(KEYS + "token_type")) {
            int[] codes = gguf.ints(KEYS + "token_type");
            if (codes.length != tokens.size()) {
                throw gguf.problem(KEYS + "token_type", "wanted " + tokens.size() + " types, one a token, found " + codes.length);
            }
            for (int code : codes) {
                types.add(TokenType.of(code));
            }
        } else {
            tokens.forEach(token -> types.add(TokenType.NORMAL));
        }
    }

    static Tokenizer tokenizer(Gguf gguf) {
        if (!gguf.has(KEYS + "model")) {
            throw gguf.problem(KEYS + "model", "the file has no vocabulary");
        }
        String model = gguf.string(KEYS + "model");
        try {
            GgufVocabulary vocabulary = new GgufVocabulary(gguf);
            return switch (model) {
                case "gpt2" -> vocabulary.bytePairs();
                case "llama" -> vocabulary.sentencePieces();
                case "bert" -> vocabulary.wordPieces();
                default -> throw gguf.problem(KEYS + "model", "tokeniser '" + model + "' is not supported; wanted gpt2, llama or bert");
            };
        } catch (IllegalArgumentException e) {
            throw gguf.problem(KEYS + "model", "'" + model + "': " + e.getMessage());
        }
    }

    private Tokenizer bytePairs() {
        String name = gguf.string(KEYS + "pre", "default");
        PreTokenizer splitter;
        try {
            splitter = PreTokenizer.named(name);
        } catch (IllegalArgumentException e) {
            throw gguf.problem(KEYS + "pre", e.getMessage());
        }
        SpecialIds special = special(splitter.addsBosByDefault(), false);
        List<String> merges = List.of(gguf.strings(KEYS + "merges"));
        return new BytePairTokenizer(new Vocabulary(tokens, new float[0], types, merges, special), splitter);
    }

    private Tokenizer sentencePieces() {
        SpecialIds special = special(true, false);
        Vocabulary vocabulary = new Vocabulary(tokens, gguf.floats(KEYS + "scores"), types, List.of(), special);
        boolean prefix = gguf.bool(KEYS + "add_space_prefix", true);
        return new SentencePieceTokenizer(vocabulary, vocabulary.added(), new SentencePieceNormalizer(null, prefix, false, true), SentencePieceModel.UNKNOWN_SURFACE);
    }

    /** GGUF marks the start of a word by U+2581 and leaves the inside of words bare; vocab.txt does it the other way round. */
    private Tokenizer wordPieces() {
        List<String> spelling = new ArrayList<>(tokens.size());
        for (int id = 0; id < tokens.size(); id++) {
            String token = tokens.get(id);
            boolean special = types.get(id) != TokenType.NORMAL || token.startsWith("[") && token.endsWith("]");
            if (!token.isEmpty() && token.charAt(0) == WORD_START) {
                spelling.add(token.substring(1));
            } else {
                spelling.add(special ? token : WordPieceTokenizer.CONTINUATION + token);
            }
        }
        for (String key : List.of("unknown", "seperator", "padding", "bos", "cls", "mask")) {
            id(key).ifPresent(id -> types.set(id, TokenType.CONTROL));
        }
        OptionalInt cls = id("cls").isPresent() ? id("cls") : id("bos");
        OptionalInt sep = id("seperator").isPresent() ? id("seperator") : id("eos");
        if (cls.isEmpty() || sep.isEmpty()) {
            throw gguf.problem(KEYS + (cls.isEmpty() ? "cls_token_id" : "seperator_token_id"), "a BERT vocabulary needs it");
        }
        SpecialIds special = new SpecialIds(cls, sep, id("unknown"), id("padding"), true, true, Set.of());
        Vocabulary vocabulary = new Vocabulary(spelling, new float[0], types, List.of(), special);
        boolean lowerCase = !TokenizerFiles.hasUpperCase(vocabulary);
        return new WordPieceTokenizer(vocabulary, vocabulary.added(), new BertNormalizer(lowerCase, lowerCase, true));
    }

    private SpecialIds special(boolean addBos, boolean addEos) {
        TreeSet<Integer> ends = new TreeSet<>();
        for (int id = 0; id < tokens.size(); id++) {
            boolean marked = types.get(id) == TokenType.CONTROL || types.get(id) == TokenType.USER_DEFINED;
            if (marked && SpecialIds.TURN_ENDS.contains(tokens.get(id))) {
                ends.add(id);
            }
        }
        for (String key : Arrays.asList("eos", "eot", "eom")) {
            id(key).ifPresent(ends::add);
        }
        return new SpecialIds(id("bos"), id("eos"), id("unknown"), id("padding"), gguf.bool(KEYS + "add_bos_token", addBos), gguf.bool(KEYS + "add_eos_token", addEos), ends);
    }

    private OptionalInt id(String role) {
        String key = KEYS + role + "_token_id";
        if (!gguf.has(key)) {
            return OptionalInt.empty();
        }
        long id = gguf.integer(key);
        if (id < 0 || id >= tokens.size()) {
            throw gguf.problem(key, "wanted an id below " + tokens.size() + ", found " + id);
        }
        return OptionalInt.of((int) id);
    }
}
