package dev.t2l.text;

import dev.t2l.io.FormatException;
import dev.t2l.io.Gguf;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Text to token ids and back. Thread-safe; {@link #close} may be called twice, and a call after it throws IllegalStateException.
 *
 * <p>Control tokens ({@code <|im_end|>}, {@code [SEP]}) written out in a text become tokens only where the caller says so: a prompt that
 * mixes a model's markers with what users typed goes through {@link #encode(List, boolean)}, where markers typed by a user stay text.
 */
public abstract sealed class Tokenizer implements AutoCloseable permits JsonTokenizer, VocabularyTokenizer {
    private final AddedTokens added;
    private final SpecialIds special;

    Tokenizer(AddedTokens added, SpecialIds special) {
        this.added = added;
        this.special = special;
    }

    /**
     * The tokeniser of a model folder: its tokenizer.json, else tokenizer.model (SentencePiece), else vocab.txt (WordPiece). The
     * truncation and padding that a tokenizer.json asks for are not applied.
     *
     * @param folder a folder with one of these files, or the file itself
     * @throws FormatException if there is none, or it is malformed or of an unsupported kind
     */
    public static Tokenizer load(Path folder) {
        Path home = Files.isDirectory(folder) ? folder : folder.toAbsolutePath().getParent();
        List<String> names = List.of("tokenizer.json", "tokenizer.model", "vocab.txt");
        for (String name : names) {
            Path file = home.resolve(name);
            boolean asked = Files.isDirectory(folder) || folder.getFileName().toString().equals(name);
            if (asked && Files.isRegularFile(file)) {
                return TokenizerFiles.load(file);
            }
        }
        throw new FormatException(folder, "tokeniser", "wanted one of " + names + ", found none");
    }

    /**
     * The tokeniser inside a GGUF model.
     *
     * @throws FormatException if the file has none, or one of an unsupported kind, which is named
     */
    public static Tokenizer of(Gguf gguf) {
        return GgufVocabulary.tokenizer(gguf);
    }

    /**
     * Ids of a text.
     *
     * @param addSpecialTokens put the model's own tokens around it (BOS; [CLS] and [SEP])
     * @param parseSpecial     read control tokens written out in the text; user-defined tokens always are
     */
    public final int[] encode(String text, boolean addSpecialTokens, boolean parseSpecial) {
        return encode(WellFormed.of(text), addSpecialTokens, parseSpecial ? AddedTokens.Permission.ALL : (token, start, end) -> !token.special());
    }

    /**
     * Ids of a prompt made of a template's text and data. The ids are those of the whole text, except that a token which is a control token,
     * or which the template's own text uses as a marker, is never read where a character of it is data.
     */
    public final int[] encode(List<Segment> segments, boolean addSpecialTokens) {
        return encode(WellFormed.of(Segment.join(segments)), addSpecialTokens, PromptPermission.of(segments, added));
    }

    /**
     * A text for an encoder: special tokens around it ([CLS] ... [SEP]), tokens dropped on its right so that all together are at most
     * {@code maxLength}; the tokens after the text stay last.
     *
     * @throws IllegalArgumentException if {@code maxLength} leaves no room for the special tokens
     */
    public final Encoding encode(String text, int maxLength) {
        int[] prefix = prefix();
        int[] suffix = suffix();
        int room = maxLength - prefix.length - suffix.length;
        if (room < 0) {
            throw new IllegalArgumentException("maxLength: wanted at least " + (prefix.length + suffix.length) + " for the special tokens, got " + maxLength);
        }
        int[] body = Truncation.cut(encode(text, false, true), room, Truncation.Side.RIGHT);
        IntList ids = new IntList();
        ids.addAll(prefix);
        ids.addAll(body);
        ids.addAll(suffix);
        int[] all = ids.toArray();
        return new Encoding(all, new int[all.length]);
    }

    /** Two texts for an encoder with the special tokens around and between them. */
    public final Encoding encodePair(String first, String second) {
        return pair(WellFormed.of(first), WellFormed.of(second));
    }

    /**
     * A prompt and a response as training takes them: each on its own, nothing added, shortened together on the left
     * ({@link Truncation#longestFirst}).
     */
    public final Truncation.Pair encodePair(String prompt, String response, int maxLength) {
        return Truncation.longestFirst(encode(prompt, false, true), encode(response, false, true), maxLength, Truncation.Side.LEFT);
    }

    /** {@link #decode(int[], boolean)} with control tokens written out. */
    public final String decode(int[] ids) {
        return decode(ids, false);
    }

    /**
     * The text of ids. Bytes that form no character give U+FFFD.
     *
     * @param skipSpecialTokens leave control tokens out
     * @throws IllegalArgumentException for an id outside the vocabulary
     */
    public final String decode(int[] ids, boolean skipSpecialTokens) {
        StreamingDecoder decoder = streamingDecoder(skipSpecialTokens);
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
            text.append(decoder.next(id));
        }
        return text.append(decoder.finish()).toString();
    }

    /** A decoder for one generation. */
    public final StreamingDecoder streamingDecoder(boolean skipSpecialTokens) {
        return new StreamingDecoder(pieces(), id -> {
            checkId(id);
            return skipSpecialTokens && isSpecial(id);
        });
    }

    /** Number of ids; every id is below it. */
    public abstract int vocabularySize();

    /**
     * The token as the vocabulary spells it.
     *
     * @throws IllegalArgumentException for an id outside the vocabulary
     */
    public abstract String token(int id);

    /** The id of a token as the vocabulary spells it. */
    public abstract OptionalInt id(String token);

    /** Whether it is a control token, which {@code skipSpecialTokens} leaves out. */
    public abstract boolean isSpecial(int id);

    /** Start of sequence; [CLS] for BERT. */
    public final OptionalInt bosId() {
        return special.bos();
    }

    /** End of sequence; [SEP] for BERT. */
    public final OptionalInt eosId() {
        return special.eos();
    }

    /** The id that fills batches. */
    public final OptionalInt paddingId() {
        return special.padding();
    }

    /** The id of text that the vocabulary cannot spell. */
    public final OptionalInt unknownId() {
        return special.unknown();
    }

    /** Ids after which a generation ends: the model's own, and control tokens that are known to close a turn. */
    public final Set<Integer> endOfGenerationIds() {
        return special.endOfGeneration();
    }

    @Override
    public void close() {
    }

    /** Ids of a well-formed text, added tokens being read where permitted. */
    abstract int[] encode(String text, boolean addSpecialTokens, AddedTokens.Permission permission);

    abstract Encoding pair(String first, String second);

    /** Ids before a text with special tokens. */
    abstract int[] prefix();

    /** Ids after a text with special tokens. */
    abstract int[] suffix();

    abstract PieceText pieces();

    final AddedTokens added() {
        return added;
    }

    final SpecialIds special() {
        return special;
    }

    final void checkId(int id) {
        if (id < 0 || id >= vocabularySize()) {
            throw new IllegalArgumentException("token id: wanted 0 to " + (vocabularySize() - 1) + ", got " + id);
        }
    }
}
