package dev.t2l;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Gate;
import dev.t2l.backend.Lane;
import dev.t2l.model.Decoder;
import dev.t2l.model.LastTokenEmbedder;
import dev.t2l.model.PooledEncoder;
import dev.t2l.model.SequenceEmbedder;
import dev.t2l.ops.L2Normalise;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import dev.t2l.text.Tokenizer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/**
 * Text to vectors: sentence embeddings as the model's folder defines them, and the task embeddings that a Text-to-LoRA
 * hypernetwork reads.
 *
 * <p>Thread-safe: calls from several threads run at once. A text's vector does not depend on the texts beside it. {@link #close}
 * refuses new calls, lets running ones end, then releases the weights; a second close is harmless. The backend is the caller's and
 * must outlive the encoder.
 */
public final class TextEncoder implements AutoCloseable {
    /** Tokens that Text-to-LoRA lets an encoder of long texts read. */
    static final int TASK_TOKENS = 8192;

    /**
     * How texts are prepared and vectors finished.
     *
     * @param format     of task descriptions
     * @param prepare    what is tokenised for a text that is no task description
     * @param maxTokens  such a text is cut to so many tokens, special ones included
     * @param taskTokens so are task descriptions
     * @param normalise  sentence embeddings have length 1
     */
    record Conventions(DescriptionFormat format, UnaryOperator<String> prepare, int maxTokens, int taskTokens, boolean normalise) {
        /** Of a bare decoder: nothing is prepared, nothing normalised. */
        static Conventions plain(DescriptionFormat format) {
            return new Conventions(format, UnaryOperator.identity(), TASK_TOKENS, TASK_TOKENS, false);
        }
    }

    private final Backend backend;
    private final Tokenizer tokenizer;
    private final SequenceEmbedder embedder;
    private final Conventions conventions;
    private final Runnable release;
    private final Gate gate;
    private final List<Gate> open;

    /** @param release ends the memory of tokenizer and embedder */
    TextEncoder(Backend backend, Tokenizer tokenizer, SequenceEmbedder embedder, Conventions conventions, Runnable release) {
        this(backend, tokenizer, embedder, conventions, release, List.of());
    }

    private TextEncoder(Backend backend, Tokenizer tokenizer, SequenceEmbedder embedder, Conventions conventions, Runnable release, List<Gate> lenders) {
        this.backend = backend;
        this.tokenizer = tokenizer;
        this.embedder = embedder;
        this.conventions = conventions;
        this.release = release;
        this.gate = new Gate("the text encoder");
        this.open = Stream.concat(lenders.stream(), Stream.of(gate)).toList();
    }

    /**
     * Opens a Hugging Face or sentence-transformers folder (BERT, gte-v1.5, or a decoder, of which the last token counts) or a GGUF
     * file (the same but gte). Pooling, normalisation and the longest text are what the folder's {@code modules.json},
     * {@code 1_Pooling} and {@code sentence_bert_config.json} say; else gte pools [CLS] and BERT the mean, as sentence-transformers
     * does. GGUF files say how to pool and nothing of normalisation: their vectors are normalised, as llama.cpp does.
     *
     * @throws dev.t2l.io.FormatException if a file breaks its format or asks for what is not supported
     */
    public static TextEncoder load(Path folderOrGguf, Backend backend) {
        return TextEncoderLoader.load(folderOrGguf, backend);
    }

    /** An encoder out of its parts, which it takes over: closing it closes them. Vectors are as {@code embedder} gives them, not normalised. */
    public static TextEncoder of(Backend backend, Tokenizer tokenizer, SequenceEmbedder embedder) {
        return new TextEncoder(backend, tokenizer, embedder, Conventions.plain(DescriptionFormat.FULL_STOP), () -> {
            embedder.close();
            tokenizer.close();
        });
    }

    /** A language model as encoder, by its last token, as Text-to-LoRA does without {@code emb_model}. It is borrowed. */
    public static TextEncoder of(LanguageModel base) {
        return lastToken(base.decoder(), base.tokenizer(), base.gate());
    }

    /**
     * The base language model as encoder, as Text-to-LoRA does without {@code emb_model}. Borrows both.
     *
     * @param lender of both, which stays open while this encodes
     */
    static TextEncoder lastToken(Decoder decoder, Tokenizer tokenizer, Gate lender) {
        return new TextEncoder(decoder.backend(), tokenizer, new LastTokenEmbedder(decoder, () -> { }), Conventions.plain(DescriptionFormat.FULL_STOP), () -> { },
                List.of(lender));
    }

    /** Length of a vector, E. */
    public int width() {
        return embedder.width();
    }

    /** The most tokens of a text that {@link #embed} reads, special ones included; the rest is cut off. */
    public int maxTokens() {
        return Math.min(conventions.maxTokens(), embedder.maxTokens());
    }

    /** The vector of a text, [width()]. */
    public float[] embed(String text) {
        return embed(List.of(text))[0];
    }

    /** The vectors of texts, [texts][width()]: pooled, and of length 1 if the model's folder says so. */
    public float[][] embed(List<String> texts) {
        if (texts.isEmpty()) {
            return new float[0][];
        }
        try (var _ = new Use(open); Lane _ = backend.lane(); Memory memory = backend.allocate(4L * texts.size() * width())) {
            Tensor out = Tensor.of(DType.F32, memory.segment(), texts.size(), width());
            encode(ids(texts.stream().map(conventions.prepare()).toList(), maxTokens()), out);
            if (conventions.normalise()) {
                L2Normalise.forward(backend, out, 1);
            }
            return download(out);
        }
    }

    /** {@link #taskEmbeddings(List)} on the host, [descriptions][width()]. */
    public float[][] embedTasks(List<String> descriptions) {
        try (Lane _ = backend.lane(); Memory memory = backend.allocate(4L * Math.max(1, descriptions.size()) * width())) {
            Tensor out = Tensor.of(DType.F32, memory.segment(), descriptions.size(), width());
            taskEmbeddings(descriptions, out);
            return download(out);
        }
    }

    /**
     * Task embeddings for a hypernetwork: the descriptions formatted as in training ({@link DescriptionFormat}), encoded, scaled to
     * length sqrt(E).
     *
     * @return f32 [descriptions, width()], on the backend
     * @throws IllegalArgumentException if there is no description, or one is empty
     */
    public Tensor taskEmbeddings(List<String> descriptions) {
        Tensor out = backend.place(Tensor.ofFloats(new float[descriptions.size() * width()], descriptions.size(), width()));
        taskEmbeddings(descriptions, out);
        return out;
    }

    /**
     * {@link #taskEmbeddings(List)} into memory of the caller's.
     *
     * @param out f32 [descriptions, width()], on the backend
     */
    public void taskEmbeddings(List<String> descriptions, Tensor out) {
        if (descriptions.isEmpty()) {
            throw new IllegalArgumentException("no task description; wanted at least one");
        }
        if (out.dtype() != DType.F32 || out.rank() != 2 || out.rows() != descriptions.size() || out.cols() != width()) {
            throw new IllegalArgumentException("task embeddings need F32[" + descriptions.size() + ", " + width() + "], got " + out);
        }
        try (var _ = new Use(open)) {
            taskEmbeddings(taskIds(descriptions), out);
        }
    }

    /** How many tokens each of these task descriptions is to the encoder, special ones included. */
    public int[] taskTokens(List<String> descriptions) {
        try (var _ = new Use(open)) {
            return Arrays.stream(taskIds(descriptions)).mapToInt(ids -> ids.length).toArray();
        }
    }

    /** {@link #taskEmbeddings(List, Tensor)} in two steps, of which this is the first, of a caller who keeps {@link #gates} open. */
    int[][] taskIds(List<String> descriptions) {
        return ids(descriptions.stream().map(conventions.format()::apply).toList(), Math.min(conventions.taskTokens(), embedder.maxTokens()));
    }

    /** The second step. */
    void taskEmbeddings(int[][] ids, Tensor out) {
        encode(ids, out);
        L2Normalise.forward(backend, out, (float) Math.sqrt(width()));
    }

    private int[][] ids(List<String> texts, int maxTokens) {
        return texts.stream().map(text -> tokenizer.encode(text, maxTokens).ids()).toArray(int[][]::new);
    }

    private void encode(int[][] ids, Tensor out) {
        var event = new Events.Encode();
        event.begin();
        embedder.embed(ids, out);
        event.texts = ids.length;
        event.tokens = Arrays.stream(ids).mapToLong(text -> text.length).sum();
        event.commit();
    }

    private float[][] download(Tensor vectors) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(vectors.bytes(), 64);
            backend.download(host, vectors);
            float[][] rows = new float[(int) vectors.rows()][width()];
            for (int i = 0; i < rows.length; i++) {
                MemorySegment.copy(host, ValueLayout.JAVA_FLOAT, 4L * i * width(), rows[i], 0, width());
            }
            return rows;
        }
    }

    /** What has to stay open while it encodes. */
    List<Gate> gates() {
        return open;
    }

    /** The model, if it is one that a recording can be made of on this backend: one that encodes and pools. */
    Optional<PooledEncoder> pooled(Backend on) {
        return backend == on && embedder instanceof PooledEncoder pooled ? Optional.of(pooled) : Optional.empty();
    }

    @Override
    public void close() {
        gate.close(release);
    }
}
