package dev.t2l.text;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.io.FormatException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A tokenizer.json, run by Hugging Face's tokenizers (through DJL), which defines what such a file means.
 *
 * <p>That library reads every special token it finds in a text. A text in which some must stay text is cut at the permitted ones here,
 * and the pieces go through a copy of the file that knows no special tokens.
 */
final class JsonTokenizer extends Tokenizer {
    static {
        defaultProperty("ai.djl.offline", "true");
        defaultProperty("slf4j.internal.verbosity", "ERROR");
    }

    private final TokenizerJson json;
    private final HuggingFaceTokenizer full;
    private final Frame frame;
    private final ReadWriteLock open = new ReentrantReadWriteLock();
    private boolean closed;
    private HuggingFaceTokenizer plainStart;
    private HuggingFaceTokenizer plainLater;

    /** Ids that the file's post-processor puts around a text. */
    private record Frame(int[] prefix, int[] suffix) {
    }

    private JsonTokenizer(TokenizerJson json, HuggingFaceTokenizer full, Frame frame, SpecialIds special) {
        super(new AddedTokens(json.added()), special);
        this.json = json;
        this.full = full;
        this.frame = frame;
    }

    private static void defaultProperty(String key, String value) {
        if (System.getProperty(key) == null) {
            System.setProperty(key, value);
        }
    }

    static JsonTokenizer load(Path file, FolderConfig config) {
        TokenizerJson json = TokenizerJson.read(file);
        HuggingFaceTokenizer full = start(file, json.untruncated());
        try {
            Frame frame = frame(file, full);
            return new JsonTokenizer(json, full, frame, special(json, config, frame));
        } catch (RuntimeException e) {
            full.close();
            throw e;
        }
    }

    private static HuggingFaceTokenizer start(Path file, byte[] definition) {
        try {
            return HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(definition), Map.of("truncation", "false", "padding", "false"));
        } catch (IOException | RuntimeException e) {
            throw new FormatException(file, "tokenizer", "refused by the tokenizers library: " + e.getMessage(), e);
        }
    }

    private static Frame frame(Path file, HuggingFaceTokenizer full) {
        for (String probe : List.of("a", "1", "the")) {
            int[] with = run(full, probe, true);
            int[] without = run(full, probe, false);
            for (int at = 0; without.length > 0 && at + without.length <= with.length; at++) {
                if (Arrays.equals(with, at, at + without.length, without, 0, without.length)) {
                    return new Frame(Arrays.copyOf(with, at), Arrays.copyOfRange(with, at + without.length, with.length));
                }
            }
        }
        throw new FormatException(file, "post_processor", "wanted special tokens before and after the text, found something else");
    }

    private static SpecialIds special(TokenizerJson json, FolderConfig config, Frame frame) {
        OptionalInt bos = config.id("bos_token", json.tokens());
        OptionalInt eos = config.id("eos_token", json.tokens());
        bos = bos.isPresent() ? bos : single(frame.prefix);
        eos = eos.isPresent() ? eos : single(frame.suffix);
        return new SpecialIds(bos, eos, config.id("unk_token", json.tokens()), config.id("pad_token", json.tokens()), frame.prefix.length > 0, frame.suffix.length > 0,
                config.endOfGeneration(eos, json.added()));
    }

    private static OptionalInt single(int[] ids) {
        return ids.length == 1 ? OptionalInt.of(ids[0]) : OptionalInt.empty();
    }

    private static int[] run(HuggingFaceTokenizer tokenizer, String text, boolean addSpecialTokens) {
        return Arrays.stream(tokenizer.encode(text, addSpecialTokens, false).getIds()).mapToInt(Math::toIntExact).toArray();
    }

    @Override
    int[] encode(String text, boolean addSpecialTokens, AddedTokens.Permission permission) {
        open.readLock().lock();
        try {
            checkOpen();
            if (permission == AddedTokens.Permission.ALL) {
                return run(full, text, addSpecialTokens);
            }
            List<AddedTokens.Match> permitted = added().find(text, permission);
            List<AddedTokens.Match> all = added().find(text, AddedTokens.Permission.ALL);
            if (permitted.equals(all)) {
                int[] ids = run(full, text, false);
                if (readsOnly(all, ids)) {
                    return addSpecialTokens ? run(full, text, true) : ids;
                }
            }
            return encodeApart(text, permitted, addSpecialTokens);
        } finally {
            open.readLock().unlock();
        }
    }

    /** Whether the special tokens among the ids are those found in the text; normalising could have made others. */
    private boolean readsOnly(List<AddedTokens.Match> matches, int[] ids) {
        int[] wanted = matches.stream().map(AddedTokens.Match::token).filter(AddedToken::special).mapToInt(AddedToken::id).toArray();
        int unknown = unknownId().orElse(-1);
        int[] read = Arrays.stream(ids).filter(id -> id != unknown && added().isSpecial(id)).toArray();
        return Arrays.equals(Arrays.stream(wanted).filter(id -> id != unknown).toArray(), read);
    }

    private int[] encodeApart(String text, List<AddedTokens.Match> permitted, boolean addSpecialTokens) {
        startPlain();
        IntList ids = new IntList();
        ids.addAll(addSpecialTokens ? frame.prefix : new int[0]);
        int done = 0;
        for (AddedTokens.Match match : permitted) {
            if (match.start() > done) {
                ids.addAll(run(done == 0 ? plainStart : plainLater, text.substring(done, match.start()), false));
            }
            ids.add(match.token().id());
            done = match.end();
        }
        if (done < text.length()) {
            ids.addAll(run(done == 0 ? plainStart : plainLater, text.substring(done), false));
        }
        ids.addAll(addSpecialTokens ? frame.suffix : new int[0]);
        return ids.toArray();
    }

    private synchronized void startPlain() {
        if (plainStart == null) {
            plainStart = start(json.file(), json.withoutSpecialTokens(false));
            plainLater = json.marksOnlyTheStart() ? start(json.file(), json.withoutSpecialTokens(true)) : plainStart;
        }
    }

    @Override
    Encoding pair(String first, String second) {
        open.readLock().lock();
        try {
            checkOpen();
            ai.djl.huggingface.tokenizers.Encoding encoding = full.encode(first, second, true, false);
            return new Encoding(ints(encoding.getIds()), ints(encoding.getTypeIds()));
        } finally {
            open.readLock().unlock();
        }
    }

    private static int[] ints(long[] values) {
        return Arrays.stream(values).mapToInt(Math::toIntExact).toArray();
    }

    @Override
    int[] prefix() {
        return frame.prefix;
    }

    @Override
    int[] suffix() {
        return frame.suffix;
    }

    @Override
    PieceText pieces() {
        return json.pieces();
    }

    @Override
    public int vocabularySize() {
        return json.tokens().size();
    }

    @Override
    public String token(int id) {
        checkId(id);
        return json.tokens().get(id);
    }

    @Override
    public OptionalInt id(String token) {
        int id = token.isEmpty() ? -1 : json.tokens().indexOf(token);
        return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
    }

    @Override
    public boolean isSpecial(int id) {
        checkId(id);
        return added().isSpecial(id);
    }

    private void checkOpen() {
        if (closed) {
            throw new IllegalStateException(json.file() + ": the tokeniser is closed");
        }
    }

    @Override
    public void close() {
        open.writeLock().lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            full.close();
            if (plainStart != null) {
                plainStart.close();
            }
            if (plainLater != plainStart) {
                plainLater.close();
            }
        } finally {
            open.writeLock().unlock();
        }
    }
}
