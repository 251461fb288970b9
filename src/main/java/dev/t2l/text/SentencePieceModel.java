package dev.t2l.text;

import dev.t2l.io.FormatException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/** A {@code tokenizer.model}: SentencePiece's {@code ModelProto}, as far as encoding and decoding need it. */
final class SentencePieceModel {
    /** What an unknown token decodes to when the model does not say. */
    static final String UNKNOWN_SURFACE = " \u2047 ";

    private static final long BPE = 2;
    private static final List<String> KINDS = List.of("?", "unigram", "bpe", "word", "char");
    private static final long MAX_BYTES = 256L << 20;

    private final List<String> pieces = new ArrayList<>();
    private final List<Float> scores = new ArrayList<>();
    private final List<TokenType> types = new ArrayList<>();
    private long kind = 1;
    private boolean spaceAsSuffix;
    private int unknown;
    private int bos = 1;
    private int eos = 2;
    private int padding = -1;
    private String unknownSurface = UNKNOWN_SURFACE;
    private CharacterMap characters;
    private boolean addPrefix = true;
    private boolean removeExtraWhitespaces = true;
    private boolean escapeWhitespaces = true;

    private SentencePieceModel() {
    }

    /** @throws FormatException if the file is no ModelProto, or of a kind other than BPE */
    static SentencePieceModel read(Path file) {
        SentencePieceModel model = new SentencePieceModel();
        try {
            if (Files.size(file) > MAX_BYTES) {
                throw new FormatException(file, "size", "wanted at most " + MAX_BYTES + " bytes, found " + Files.size(file));
            }
            model.readModel(new ProtobufReader(Files.readAllBytes(file)));
        } catch (IllegalArgumentException e) {
            throw new FormatException(file, "SentencePiece model", e.getMessage(), e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        if (model.kind != BPE) {
            String name = model.kind > 0 && model.kind < KINDS.size() ? KINDS.get((int) model.kind) : "number " + model.kind;
            throw new FormatException(file, "trainer_spec.model_type", "wanted bpe, found " + name + "; HINT: such models ship a tokenizer.json");
        }
        if (model.spaceAsSuffix) {
            throw new FormatException(file, "trainer_spec.treat_whitespace_as_suffix", "spaces at the end of words are not supported");
        }
        if (model.pieces.isEmpty()) {
            throw new FormatException(file, "pieces", "no piece");
        }
        return model;
    }

    private void readModel(ProtobufReader in) {
        for (int field = in.nextField(); field != 0; field = in.nextField()) {
            switch (field) {
                case 1 -> readPiece(in.message());
                case 2 -> readTrainer(in.message());
                case 3 -> readNormalizer(in.message());
                default -> in.skip();
            }
        }
    }

    private void readPiece(ProtobufReader in) {
        String piece = "";
        float score = 0;
        TokenType type = TokenType.NORMAL;
        for (int field = in.nextField(); field != 0; field = in.nextField()) {
            switch (field) {
                case 1 -> piece = in.string();
                case 2 -> score = in.float32();
                case 3 -> type = TokenType.of(in.number());
                default -> in.skip();
            }
        }
        pieces.add(piece);
        scores.add(score);
        types.add(type);
    }

    private void readTrainer(ProtobufReader in) {
        for (int field = in.nextField(); field != 0; field = in.nextField()) {
            switch (field) {
                case 3 -> kind = in.number();
                case 24 -> spaceAsSuffix = in.bool();
                case 40 -> unknown = (int) in.number();
                case 41 -> bos = (int) in.number();
                case 42 -> eos = (int) in.number();
                case 43 -> padding = (int) in.number();
                case 44 -> unknownSurface = in.string();
                default -> in.skip();
            }
        }
    }

    private void readNormalizer(ProtobufReader in) {
        for (int field = in.nextField(); field != 0; field = in.nextField()) {
            switch (field) {
                case 2 -> characters = characterMap(in.bytes());
                case 3 -> addPrefix = in.bool();
                case 4 -> removeExtraWhitespaces = in.bool();
                case 5 -> escapeWhitespaces = in.bool();
                default -> in.skip();
            }
        }
    }

    private static CharacterMap characterMap(byte[] blob) {
        return blob.length == 0 ? null : new CharacterMap(blob);
    }

    /** The tokeniser, with the tokens and settings that a model folder's JSON files add to the model. */
    SentencePieceTokenizer tokenizer(FolderConfig config) {
        List<AddedToken> added = new ArrayList<>();
        for (int id = 0; id < pieces.size(); id++) {
            if (types.get(id) == TokenType.CONTROL || types.get(id) == TokenType.USER_DEFINED) {
                added.add(AddedToken.plain(id, pieces.get(id), types.get(id) == TokenType.CONTROL));
            }
        }
        for (AddedToken token : config.addedTokens()) {
            if (token.id() >= pieces.size()) {
                appendUpTo(token);
                added.add(token);
            }
        }
        float[] scored = new float[scores.size()];
        for (int i = 0; i < scored.length; i++) {
            scored[i] = scores.get(i);
        }
        OptionalInt bosId = firstOf(config.id("bos_token", pieces), bos);
        OptionalInt eosId = firstOf(config.id("eos_token", pieces), eos);
        OptionalInt padId = firstOf(config.id("pad_token", pieces), padding);
        OptionalInt unkId = firstOf(OptionalInt.empty(), unknown);
        Set<Integer> ends = config.endOfGeneration(eosId, added);
        SpecialIds special = new SpecialIds(bosId, eosId, unkId, padId, config.flag("add_bos_token", true), config.flag("add_eos_token", false), ends);
        Vocabulary vocabulary = new Vocabulary(List.copyOf(pieces), scored, List.copyOf(types), List.of(), special);
        boolean prefix = config.flag("add_prefix_space", addPrefix);
        return new SentencePieceTokenizer(vocabulary, new AddedTokens(added), new SentencePieceNormalizer(characters, prefix, removeExtraWhitespaces, escapeWhitespaces), unknownSurface);
    }

    private void appendUpTo(AddedToken token) {
        if (token.id() != pieces.size()) {
            throw new IllegalArgumentException("added token '" + token.content() + "' has id " + token.id() + ", but the vocabulary ends at " + (pieces.size() - 1));
        }
        pieces.add(token.content());
        scores.add(0f);
        types.add(token.special() ? TokenType.CONTROL : TokenType.USER_DEFINED);
    }

    private OptionalInt firstOf(OptionalInt configured, int id) {
        return configured.isPresent() || id < 0 || id >= pieces.size() ? configured : OptionalInt.of(id);
    }
}
