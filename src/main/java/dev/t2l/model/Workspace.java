package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.ops.LoraBatch;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;

/**
 * The inputs, activations and answers of a decoder's forward pass over at most {@code maxRows} rows.
 * A pass is filled row by row ({@link #clear}, {@link #add}), then run. Not thread-safe; one a request.
 */
public final class Workspace implements AutoCloseable {
    /** Views of the first n rows; wanted rows are those whose final hidden state and logits are asked for. */
    record Rows(Tensor ids, Tensor positions, Tensor cacheRows, Tensor ranges, Tensor angles, Tensor x, Tensor h, Tensor q, Tensor k,
            Tensor v, Tensor qHeads, Tensor kHeads, Tensor attended, Tensor gate, Tensor up) {
    }

    /** Views of the first m wanted rows. */
    record Wanted(Tensor index, Tensor choices, Tensor hidden, Tensor logits, Tensor tokens) {
    }

    private final DecoderConfig config;
    private final PassInputs inputs;
    private final Weights memory;
    private final int maxRows;
    private final int maxWanted;
    private Rows rows;       // of the last pass, and so on
    private Wanted wanted;
    private DecoderPass pass;
    private int n;
    private int m;
    private boolean closed;

    /** @param maxWanted rows of a pass whose logits can be asked for */
    public Workspace(Backend backend, DecoderConfig config, int maxRows, int maxWanted) {
        this.config = config;
        inputs = new PassInputs(backend, maxRows, maxWanted);
        try {
            memory = table(config, maxRows, maxWanted).carve(backend::allocate);
        } catch (RuntimeException | Error e) {
            inputs.close();
            throw e;
        }
        this.maxRows = maxRows;
        this.maxWanted = maxWanted;
    }

    /** The activations of a workspace of this size. */
    public static TensorTable table(DecoderConfig c, int maxRows, int maxWanted) {
        return new TensorTable()
                .add("angles", DType.F32, maxRows, c.attention().spec().headDim())
                .add("x", DType.F32, maxRows, c.hidden()).add("h", DType.F32, maxRows, c.hidden())
                .add("q", DType.F32, maxRows, c.queryWidth()).add("k", DType.F32, maxRows, c.keyWidth()).add("v", DType.F32, maxRows, c.keyWidth())
                .add("attended", DType.F32, maxRows, c.queryWidth())
                .add("gate", DType.F32, maxRows, c.intermediate()).add("up", DType.F32, maxRows, c.intermediate())
                .add("hidden", DType.F32, maxWanted, c.hidden()).add("logits", DType.F32, maxWanted, c.vocabulary());
    }

    /** Bytes of the activations. */
    long bytes() {
        return memory.bytes();
    }

    /** Begins a new pass; the one before must be done ({@link Backend#await}, or a download of its results). */
    public void clear() {
        n = 0;
        m = 0;
    }

    /** Rows added so far. */
    public int size() {
        return n;
    }

    /** Rows that there is room for. */
    public int maxRows() {
        return maxRows;
    }

    /**
     * Adds a row: token {@code id} at {@code position} of the sequence in {@code slot}, which sees itself and all earlier positions.
     *
     * @param want its final hidden state (and logits, and the most likely next token) are asked for
     * @throws IllegalArgumentException if the id is outside the vocabulary
     */
    public void add(KvCache cache, int slot, int position, int id, boolean want) {
        if (id < 0 || id >= config.vocabulary()) {
            throw new IllegalArgumentException("token id " + id + " is outside the vocabulary of " + config.vocabulary());
        }
        if (n == maxRows || want && m == maxWanted) {
            throw new IllegalStateException("a workspace of " + maxRows + " rows, " + maxWanted + " of them wanted, is full");
        }
        int row = cache.row(slot, position);
        PassInputs.Block in = inputs.host();
        in.ids().setInt(n, id);
        in.positions().setInt(n, position);
        in.cacheRows().setInt(n, row);
        in.ranges().setInt(2L * n, row - position);
        in.ranges().setInt(2L * n + 1, row + 1);
        if (want) {
            Sampler.greedy(in.choices(), m);
            in.wanted().setInt(m++, n);
        }
        n++;
    }

    /** As {@link #add}, wanted: the next token is chosen by {@code sampler}. */
    public void add(KvCache cache, int slot, int position, int id, Sampler sampler) {
        add(cache, slot, position, id, true);
        sampler.next(inputs.host().choices(), m - 1);
    }

    /** Sends the inputs to the backend and returns the pass's views. */
    Rows begin() {
        inputs.upload();
        return rows();
    }

    private Rows rows() {
        if (rows == null || rows.ids().elements() != n) {
            PassInputs.Block in = inputs.device();
            int headDim = config.attention().spec().headDim();
            Tensor q = view("q", n);
            Tensor k = view("k", n);
            rows = new Rows(in.ids().slice(0, n), in.positions().slice(0, n), in.cacheRows().slice(0, n), in.ranges().slice(0, n),
                    view("angles", n), view("x", n), view("h", n), q, k, view("v", n),
                    q.reshape(q.elements() / headDim, headDim), k.reshape(k.elements() / headDim, headDim),
                    view("attended", n), view("gate", n), view("up", n));
        }
        return rows;
    }

    /** What a pass over the current rows needs of weights and adapters. */
    DecoderPass pass(DecoderWeights weights, LoraBatch lora) {
        Rows now = rows();
        if (pass == null || !pass.serves(weights, now, lora)) {
            pass = new DecoderPass(config, weights, now, lora);
        }
        return pass;
    }

    Wanted wanted() {
        if (wanted == null || wanted.index().elements() != m) {
            PassInputs.Block in = inputs.device();
            wanted = new Wanted(in.wanted().slice(0, m), in.choices().slice(0, m), view("hidden", m), view("logits", m), inputs.tokens().slice(0, m));
        }
        return wanted;
    }

    private Tensor view(String name, int count) {
        return memory.get(name).slice(0, count);
    }

    /** After a pass: f32 [m, H], the wanted rows' hidden states after the final norm. */
    public Tensor hidden() {
        return wanted().hidden();
    }

    /** After a pass with logits: f32 [m, V] of the wanted rows. */
    public Tensor logits() {
        return wanted().logits();
    }

    /**
     * After a pass with a choice of tokens, and {@link Backend#await}: the one of a wanted row.
     *
     * @throws ArithmeticException if a logit is NaN or the largest is infinite
     */
    int token(int row) {
        int token = inputs.tokens().getInt(row);
        if (token < 0) {
            throw new ArithmeticException("logits hold NaN or infinities: the weights or the adapter are broken");
        }
        return token;
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            memory.close();
            inputs.close();
        }
    }
}
