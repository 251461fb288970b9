package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.ops.LoraBatch;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The inputs and activations of a decoder's forward pass over at most {@code maxRows} rows, one allocation.
 * A pass is filled row by row ({@link #clear}, {@link #add}), then run. Not thread-safe; one a request.
 */
public final class Workspace implements AutoCloseable {
    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT;

    /** Views of the first n rows; wanted rows are those whose final hidden state and logits are asked for. */
    record Rows(Tensor ids, Tensor positions, Tensor cacheRows, Tensor ranges, Tensor angles, Tensor x, Tensor h, Tensor q, Tensor k,
            Tensor v, Tensor qHeads, Tensor kHeads, Tensor attended, Tensor gate, Tensor up) {
    }

    /** Views of the first m wanted rows. */
    record Wanted(Tensor index, Tensor hidden, Tensor logits) {
    }

    private final DecoderConfig config;
    private final Backend backend;
    private final Weights memory;
    private final Rows[] rows;
    private final Wanted[] wanted;
    private final DecoderPass[] passes;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment idsIn;
    private final MemorySegment positionsIn;
    private final MemorySegment cacheRowsIn;
    private final MemorySegment rangesIn;
    private final MemorySegment wantedIn;
    private int n;
    private int m;
    private boolean closed;

    /** @param maxWanted rows of a pass whose logits can be asked for */
    public Workspace(Backend backend, DecoderConfig config, int maxRows, int maxWanted) {
        this.config = config;
        this.backend = backend;
        memory = table(config, maxRows, maxWanted).carve(backend::allocate);
        rows = new Rows[maxRows + 1];
        passes = new DecoderPass[maxRows + 1];
        wanted = new Wanted[maxWanted + 1];
        idsIn = arena.allocate(I32, maxRows);
        positionsIn = arena.allocate(I32, maxRows);
        cacheRowsIn = arena.allocate(I32, maxRows);
        rangesIn = arena.allocate(I32, 2L * maxRows);
        wantedIn = arena.allocate(I32, maxWanted);
    }

    /** What a workspace of this size will hold. */
    public static TensorTable table(DecoderConfig c, int maxRows, int maxWanted) {
        return new TensorTable()
                .add("ids", DType.I32, maxRows).add("positions", DType.I32, maxRows).add("cacheRows", DType.I32, maxRows)
                .add("ranges", DType.I32, maxRows, 2).add("wanted", DType.I32, maxWanted)
                .add("angles", DType.F32, maxRows, c.attention().spec().headDim())
                .add("x", DType.F32, maxRows, c.hidden()).add("h", DType.F32, maxRows, c.hidden())
                .add("q", DType.F32, maxRows, c.queryWidth()).add("k", DType.F32, maxRows, c.keyWidth()).add("v", DType.F32, maxRows, c.keyWidth())
                .add("attended", DType.F32, maxRows, c.queryWidth())
                .add("gate", DType.F32, maxRows, c.intermediate()).add("up", DType.F32, maxRows, c.intermediate())
                .add("hidden", DType.F32, maxWanted, c.hidden()).add("logits", DType.F32, maxWanted, c.vocabulary());
    }

    /** Begins a new pass. */
    public void clear() {
        n = 0;
        m = 0;
    }

    /** Rows added so far. */
    public int size() {
        return n;
    }

    /**
     * Adds a row: token {@code id} at {@code position} of the sequence in {@code slot}, which sees itself and all earlier positions.
     *
     * @param want its final hidden state (and logits) are asked for
     * @throws IllegalArgumentException if the id is outside the vocabulary
     */
    public void add(KvCache cache, int slot, int position, int id, boolean want) {
        if (id < 0 || id >= config.vocabulary()) {
            throw new IllegalArgumentException("token id " + id + " is outside the vocabulary of " + config.vocabulary());
        }
        if (n + 1 >= rows.length || want && m + 1 >= wanted.length) {
            throw new IllegalStateException("a workspace of " + (rows.length - 1) + " rows, " + (wanted.length - 1) + " of them wanted, is full");
        }
        int row = cache.row(slot, position);
        idsIn.setAtIndex(I32, n, id);
        positionsIn.setAtIndex(I32, n, position);
        cacheRowsIn.setAtIndex(I32, n, row);
        rangesIn.setAtIndex(I32, 2L * n, row - position);
        rangesIn.setAtIndex(I32, 2L * n + 1, row + 1);
        if (want) {
            wantedIn.setAtIndex(I32, m++, n);
        }
        n++;
    }

    /** Sends the inputs to the backend and returns the pass's views. */
    Rows begin() {
        Rows r = rows();
        backend.upload(r.ids(), idsIn);
        backend.upload(r.positions(), positionsIn);
        backend.upload(r.cacheRows(), cacheRowsIn);
        backend.upload(r.ranges(), rangesIn);
        if (m > 0) {
            backend.upload(wanted().index(), wantedIn);
        }
        return r;
    }

    private Rows rows() {
        if (rows[n] == null) {
            int headDim = config.attention().spec().headDim();
            Tensor q = view("q", n);
            Tensor k = view("k", n);
            rows[n] = new Rows(memory.get("ids").slice(0, n), memory.get("positions").slice(0, n), memory.get("cacheRows").slice(0, n),
                    view("ranges", n), view("angles", n), view("x", n), view("h", n), q, k, view("v", n),
                    q.reshape(q.elements() / headDim, headDim), k.reshape(k.elements() / headDim, headDim),
                    view("attended", n), view("gate", n), view("up", n));
        }
        return rows[n];
    }

    /** What a pass over the current rows needs of weights and adapters. */
    DecoderPass pass(DecoderWeights weights, LoraBatch lora) {
        if (passes[n] == null || !passes[n].serves(weights, lora)) {
            passes[n] = new DecoderPass(config, weights, rows(), lora);
        }
        return passes[n];
    }

    Wanted wanted() {
        if (wanted[m] == null) {
            wanted[m] = new Wanted(memory.get("wanted").slice(0, m), view("hidden", m), view("logits", m));
        }
        return wanted[m];
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

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            memory.close();
            arena.close();
        }
    }
}
