package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.model.DecoderConfig;
import dev.t2l.model.DecoderWeights;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * The memory of {@link FrozenPass}, one allocation: inputs, what the forward keeps for the backward, gradients, scratch.
 *
 * <p>All is of the type in which it is kept, but the residual stream and its gradient, which are f32. Kept in F32, the stream of every
 * layer is what is kept; kept in BF16, it is one tensor that the branches are added to in place, and rounded copies of it are kept.
 */
final class FrozenActivations implements AutoCloseable {
    private static final long LOGIT_BYTES = 128L << 20;

    /** What a layer keeps; {@code RAW_} before the norm of query and key heads, {@code _BRANCH} before the norm of a branch's output. */
    enum Kept { INPUT, RAW_Q, RAW_K, Q, K, V, ATTENDED, ATTENTION_BRANCH, MID, GATE, UP, MLP_BRANCH }

    /**
     * How much a pass needs.
     *
     * @param rows        at most n
     * @param predicted   at most m
     * @param adapters    K
     * @param projections on which adapters act
     */
    record Room(int rows, int predicted, int adapters, Set<Projection> projections) {
        boolean holds(Room other) {
            return rows >= other.rows && predicted >= other.predicted && adapters >= other.adapters && projections.containsAll(other.projections);
        }

        /** Room for both. */
        Room with(Room other) {
            Set<Projection> all = EnumSet.noneOf(Projection.class);
            all.addAll(projections);
            all.addAll(other.projections);
            return new Room(Math.max(rows, other.rows), Math.max(predicted, other.predicted), Math.max(adapters, other.adapters), all);
        }
    }

    private final Room room;
    private final Weights memory;
    private final boolean rounded;
    private final Map<Kept, Tensor[]> kept = new EnumMap<>(Kept.class); // by layer
    private int n;

    FrozenActivations(Backend backend, DecoderConfig config, DecoderWeights weights, Room room, DType type) {
        this.room = room;
        rounded = type != DType.F32;
        memory = table(config, weights, room, type).carve(backend::allocate);
        for (Kept what : kinds(weights)) {
            var layers = new Tensor[config.layers()];
            for (int l = 0; l < layers.length; l++) {
                layers[l] = memory.get(name(l, what));
            }
            kept.put(what, layers);
        }
    }

    /** What the allocation holds. */
    static TensorTable table(DecoderConfig c, DecoderWeights weights, Room room, DType type) {
        long n = room.rows();
        var table = new TensorTable()
                .add("ids", DType.I32, n).add("positions", DType.I32, n).add("negatedPositions", DType.I32, n)
                .add("ranges", DType.I32, n, 2).add("seen", DType.I32, n, 2)
                .add("slots", DType.I32, n, 1).add("ones", DType.F32, n, 1).add("spans", DType.I32, room.adapters(), 2)
                .add("magnitude", DType.F32, n)
                .add("index", DType.I32, room.predicted()).add("labels", DType.I32, room.predicted())
                .add("weights", DType.F32, room.predicted()).add("loss", DType.F32, room.predicted())
                .add("angles", DType.F32, n, c.attention().spec().headDim()).add("back", DType.F32, n, c.attention().spec().headDim());
        for (int l = 0; l < c.layers(); l++) {
            for (Kept what : kinds(weights)) {
                table.add(name(l, what), type, n, width(c, what));
            }
        }
        table.add("x", DType.F32, n, c.hidden()).add("dx", DType.F32, n, c.hidden())
                .add("dh", type, n, c.hidden()).add("h", type, n, c.hidden()).add("act", type, n, c.intermediate()).add("dattended", type, n, c.queryWidth())
                .add("dq", type, n, c.queryWidth()).add("dk", type, n, c.keyWidth()).add("dv", type, n, c.keyWidth());
        if (room.projections().contains(Projection.DOWN)) {
            table.add("downIn", type, n, c.intermediate());
        }
        if (type != DType.F32) {
            table.add("logSums", DType.F32, c.layers(), n, c.attention().spec().heads()).add("dx.copy", type, n, c.hidden());
        }
        long chunk = Math.clamp(LOGIT_BYTES / (4L * c.vocabulary()), 1, Math.max(1, room.predicted()));
        table.add("chunk.x", DType.F32, chunk, c.hidden()).add("chunk.hidden", DType.F32, chunk, c.hidden()).add("chunk.dx", DType.F32, chunk, c.hidden())
                .add("chunk.logits", DType.F32, chunk, c.vocabulary());
        return c.logitSoftcap() == 0 ? table : table.add("chunk.capped", DType.F32, chunk, c.vocabulary());
    }

    private static Set<Kept> kinds(DecoderWeights weights) {
        DecoderWeights.Layer layer = weights.layers().getFirst();
        var kinds = EnumSet.allOf(Kept.class);
        if (layer.queryNorm() == null) {
            kinds.removeAll(EnumSet.of(Kept.RAW_Q, Kept.RAW_K));
        }
        if (layer.attentionPostNorm() == null) {
            kinds.remove(Kept.ATTENTION_BRANCH);
        }
        if (layer.mlpPostNorm() == null) {
            kinds.remove(Kept.MLP_BRANCH);
        }
        return kinds;
    }

    private static long width(DecoderConfig c, Kept what) {
        return switch (what) {
            case INPUT, ATTENTION_BRANCH, MID, MLP_BRANCH -> c.hidden();
            case RAW_Q, Q, ATTENDED -> c.queryWidth();
            case RAW_K, K, V -> c.keyWidth();
            case GATE, UP -> c.intermediate();
        };
    }

    private static String name(int layer, Kept what) {
        return "layers." + layer + "." + what.name().toLowerCase(Locale.ROOT);
    }

    Room room() {
        return room;
    }

    /** From now on, all tensors have n rows. */
    void rows(int count) {
        n = count;
    }

    /** The first n rows of an input, a gradient or scratch. */
    Tensor get(String name) {
        return memory.get(name).slice(0, n);
    }

    /** As much as fits of a tensor that is not by row. */
    Tensor whole(String name) {
        return memory.get(name);
    }

    /** Whether {@link #stream} and {@link #streamWithin} are the same memory for all layers. */
    boolean streamsInPlace() {
        return rounded;
    }

    /** The residual stream before layer l, or behind the last one: f32 [n, H]. */
    Tensor stream(int l) {
        return rounded || l == kept.get(Kept.INPUT).length ? get("x") : kept(l, Kept.INPUT);
    }

    /** The residual stream between attention and MLP of layer l: f32 [n, H]. */
    Tensor streamWithin(int l) {
        return rounded ? get("x") : kept(l, Kept.MID);
    }

    /** What layer l keeps, which its backward may overwrite: [n, its width]. */
    Tensor kept(int l, Kept what) {
        return kept.get(what)[l].slice(0, n);
    }

    /** Where a copy of the stream is to be kept; null if the stream itself is. */
    Tensor copy(int l, Kept stream) {
        return rounded ? kept(l, stream) : null;
    }

    /** Logarithms of the softmax's sums in layer l: f32 [n, heads], or null where attention is in f32. */
    Tensor logSums(int l) {
        return rounded ? memory.get("logSums").get(l).slice(0, n) : null;
    }

    /** Of the residual stream's gradient, for products: [n, H]; null if they read the gradient itself. */
    Tensor gradientCopy() {
        return rounded ? get("dx.copy") : null;
    }

    @Override
    public void close() {
        memory.close();
    }
}
