package dev.t2l.text;

import dev.t2l.io.FormatException;
import dev.t2l.io.Gguf;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;

/**
 * A model folder's tokeniser as the {@code tokenizer.*} metadata of a GGUF file, in the forms of llama.cpp's converter
 * (convert_hf_to_gguf.py): byte pairs as {@code gpt2} with the name of their pre-tokenizer, WordPiece as {@code bert} with U+2581
 * before words and no ## inside them, SentencePiece as {@code llama}.
 */
public final class GgufVocabularyExport {
    private static final System.Logger LOG = System.getLogger("dev.t2l.text");
    private static final String KEYS = "tokenizer.ggml.";
    private static final float PADDING_SCORE = -1000;
    /** Texts on which the written vocabulary is held to the original before it is trusted. */
    private static final List<String> PROBES = List.of(
            "Hello, world! It's 12345 o'clock; we'LL see what they've done.",
            "  two  spaces\n\nand lines\r\n\t\ttabs \u00a0 end  ",
            "na\u00efve caf\u00e9 \u2014 \u6771\u4eac \ud83d\ude42\u200d \ufb01 x\u00b2 \u00bd \u0416\u0443\u043a",
            "CamelCase snake_case http://a.b/c?d=e&f=1.5 (x+y)==[z] ...!!! ####");

    private final Path folder;
    private final Tokenizer original;
    private final Map<String, Object> metadata = new LinkedHashMap<>();
    private Optional<VocabularySubset> subset = Optional.empty();

    /**
     * A vocabulary without some of its tokens.
     *
     * @param rows of the embedding table that are left, in order
     */
    public record Subset(Map<String, Object> metadata, int[] rows) {
    }

    private GgufVocabularyExport(Path folder, Tokenizer original) {
        this.folder = folder;
        this.original = original;
    }

    /**
     * The metadata of a folder's tokeniser and chat template, in the file's order. For a folder without a tokeniser: none at all.
     *
     * @param rows of the embedding table; ids without a token are filled with unused ones
     * @throws FormatException if GGUF cannot say what the tokeniser does, or its ids would differ
     */
    public static Map<String, Object> metadata(Path folder, int rows) {
        if (List.of("tokenizer.json", "tokenizer.model", "vocab.txt").stream().noneMatch(name -> Files.isRegularFile(folder.resolve(name)))) {
            LOG.log(System.Logger.Level.WARNING, "{0} has no tokeniser; the file is written without a vocabulary", folder);
            return Map.of(KEYS + "model", "none");
        }
        try (Tokenizer original = Tokenizer.load(folder)) {
            var export = new GgufVocabularyExport(folder, original);
            export.vocabulary(rows, Set.of());
            export.verify();
            ChatTemplateFiles.read(folder).forEach((name, template) ->
                    export.metadata.put("tokenizer.chat_template" + (name.equals(ChatTemplateFiles.DEFAULT) ? "" : "." + name), template));
            return export.metadata;
        }
    }

    /**
     * The metadata of a WordPiece folder's tokeniser without some of its tokens.
     *
     * @throws FormatException if the folder has no such tokeniser
     */
    public static Subset metadata(Path folder, int rows, Set<TokenGroup> dropped) {
        try (Tokenizer original = Tokenizer.load(folder)) {
            var export = new GgufVocabularyExport(folder, original);
            export.vocabulary(rows, dropped);
            export.verify();
            return new Subset(export.metadata, export.subset.orElseThrow(() -> new FormatException(folder, "tokeniser", "tokens can be dropped of WordPiece alone")).kept());
        }
    }

    private void vocabulary(int rows, Set<TokenGroup> dropped) {
        Path file = folder.resolve("tokenizer.json");
        boolean model = Files.isRegularFile(folder.resolve("tokenizer.model"));
        if (Files.isRegularFile(file)) {
            VocabularyJson json = VocabularyJson.read(file);
            if (json.isWordPiece()) {
                json.requireBert();
                wordPieces(json.vocabulary(original.special()), rows, json.lowerCases(), dropped);
                return;
            }
            if (json.isBytePairs()) {
                bytePairs(json, rows);
                return;
            }
            if (!model) {
                throw new FormatException(file, "model", "only byte-level BPE and WordPiece can be written from it; HINT: a SentencePiece model is written from its tokenizer.model");
            }
        }
        if (model) {
            sentencePieces(rows);
        } else {
            Vocabulary words = ((WordPieceTokenizer) original).vocabulary();
            wordPieces(words, rows, !TokenizerFiles.hasUpperCase(words), dropped);
        }
    }

    private void bytePairs(VocabularyJson json, int rows) {
        put("model", "gpt2");
        put("pre", json.preTokenizer());
        Vocabulary vocabulary = json.vocabulary(original.special());
        tokens(vocabulary, vocabulary.tokens(), rows);
        put("merges", vocabulary.merges().toArray(String[]::new));
        roles(vocabulary);
        framing(vocabulary.special());
    }

    private void wordPieces(Vocabulary whole, int rows, boolean lowerCase, Set<TokenGroup> dropped) {
        if (dropped.isEmpty()) {
            wordPieces(whole, rows, lowerCase);
        } else {
            subset = Optional.of(new VocabularySubset(whole, dropped));
            wordPieces(subset.get().vocabulary(), subset.get().kept().length, lowerCase);
        }
    }

    private void wordPieces(Vocabulary vocabulary, int rows, boolean lowerCase) {
        if (!lowerCase) {
            LOG.log(System.Logger.Level.WARNING, "{0}: a BERT that tells upper from lower case; llama.cpp would lower-case its texts", folder);
        }
        put("model", "bert");
        put("pre", "default");
        List<String> spelling = new ArrayList<>();
        for (int id = 0; id < vocabulary.size(); id++) {
            String token = vocabulary.tokens().get(id);
            boolean piece = token.startsWith(WordPieceTokenizer.CONTINUATION);
            spelling.add(vocabulary.types().get(id) == TokenType.CONTROL ? token
                    : piece ? token.substring(WordPieceTokenizer.CONTINUATION.length()) : SentencePieceNormalizer.SPACE + token);
        }
        tokens(vocabulary, spelling, rows);
        id("bos", vocabulary.special().bos());
        id("cls", vocabulary.special().bos());
        id("seperator", vocabulary.special().eos()); // the format's own spelling
        id("unknown", orNamed(vocabulary.special().unknown(), vocabulary, "[UNK]"));
        id("padding", orNamed(vocabulary.special().padding(), vocabulary, "[PAD]"));
        id("mask", orNamed(OptionalInt.empty(), vocabulary, "[MASK]"));
    }

    private static OptionalInt orNamed(OptionalInt id, Vocabulary vocabulary, String token) {
        int at = vocabulary.tokens().indexOf(token);
        return id.isPresent() || at < 0 ? id : OptionalInt.of(at);
    }

    private void sentencePieces(int rows) {
        FolderConfig config = FolderConfig.of(folder);
        SentencePieceTokenizer model = SentencePieceModel.read(folder.resolve("tokenizer.model")).tokenizer(config);
        List<TokenType> types = new ArrayList<>(model.vocabulary().types());
        for (AddedToken token : config.addedTokens()) {
            if (token.special() && types.get(token.id()) == TokenType.USER_DEFINED) {
                types.set(token.id(), TokenType.CONTROL); // the folder's word counts more than the model's
            }
        }
        put("model", "llama");
        put("pre", "default");
        Vocabulary vocabulary = new Vocabulary(model.vocabulary().tokens(), model.vocabulary().scores(), types, List.of(), model.special());
        tokens(vocabulary, vocabulary.tokens(), rows);
        roles(vocabulary);
        framing(original.special());
        put("add_space_prefix", model.addsPrefix());
    }

    private void tokens(Vocabulary vocabulary, List<String> spelling, int rows) {
        int size = vocabulary.size();
        if (size > rows) {
            throw new FormatException(folder, "tokeniser", "has " + size + " tokens, the embedding table only " + rows + " rows");
        }
        String[] tokens = new String[rows];
        int[] types = new int[rows];
        for (int id = 0; id < rows; id++) {
            TokenType type = id < size ? vocabulary.types().get(id) : TokenType.UNUSED;
            boolean gap = id >= size || type == TokenType.UNUSED && spelling.get(id).isEmpty();
            tokens[id] = gap ? "[PAD" + id + "]" : spelling.get(id);
            types[id] = type.code();
        }
        put("tokens", tokens);
        if (vocabulary.scores().length > 0) {
            float[] scores = Arrays.copyOf(vocabulary.scores(), rows);
            Arrays.fill(scores, size, rows, PADDING_SCORE);
            put("scores", scores);
        }
        put("token_type", types);
    }

    private void roles(Vocabulary vocabulary) {
        SpecialIds special = vocabulary.special();
        id("bos", special.bos());
        id("eos", special.eos());
        id("unknown", special.unknown());
        id("padding", special.padding());
        var ends = new TreeSet<>(original.endOfGenerationIds());
        ends.removeIf(id -> special.eos().isPresent() && id == special.eos().getAsInt() || SpecialIds.TURN_ENDS.contains(vocabulary.tokens().get(id)));
        for (String role : List.of("eot", "eom")) { // ends of which nothing else in the file would tell
            if (!ends.isEmpty()) {
                id(role, OptionalInt.of(ends.removeFirst()));
            }
        }
    }

    private void framing(SpecialIds special) {
        put("add_bos_token", special.addBos());
        put("add_eos_token", special.addEos());
    }

    private void put(String key, Object value) {
        metadata.put(KEYS + key, value);
    }

    private void id(String role, OptionalInt id) {
        id.ifPresent(i -> put(role + "_token_id", i));
    }

    /** Reads the vocabulary as from the finished file, and lets both tokenise. */
    private void verify() {
        List<String> texts = new ArrayList<>(PROBES);
        if (!"llama".equals(metadata.get(KEYS + "model"))) { // after a control token, Hugging Face and llama.cpp mark SentencePiece's words differently
            original.added().all().forEach(token -> texts.add("a " + token.content() + " b"));
        }
        try (Tokenizer written = reopened()) {
            for (String text : texts) {
                int[] ids = original.encode(text, true, true);
                if (subset.isPresent() && !subset.get().has(ids)) {
                    continue;
                }
                int[] wanted = subset.map(s -> s.renumbered(ids)).orElse(ids);
                int[] found = written.encode(text, true, true);
                if (!Arrays.equals(wanted, found)) {
                    throw new FormatException(folder, "tokeniser", "GGUF cannot say all that it does: '" + text.strip() + "' is " + Arrays.toString(wanted)
                            + ", and would be " + Arrays.toString(found));
                }
            }
        }
    }

    private Tokenizer reopened() {
        try {
            Path file = Files.createTempFile("vocabulary", ".gguf");
            try {
                Gguf.write(file, metadata, Map.of());
                try (Gguf gguf = Gguf.open(file)) {
                    return Tokenizer.of(gguf);
                }
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
