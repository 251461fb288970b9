package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.model.DecoderConfig;
import dev.t2l.model.DecoderWeights;
import dev.t2l.ops.Convert;
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
 * <p>Kept in F32, the forward computes straight into what is kept. Kept in BF16, every layer computes into the same f32 tensors, whose
 * rounded copies are kept; then the residual stream is one tensor that the branches are added to in place.
 */
final class FrozenActivations implements AutoCloseable {
    private static final long LOGIT_BYTES = 256L << 20;

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

    private final Backend backend;
    private final Room room;
    private final Weights memory;
    private final boolean rounded;
    private final Map<Kept, Tensor[]> kept = new EnumMap<>(Kept.class); // by layer
    private final Map<Kept, Tensor> current = new EnumMap<>(Kept.class); // f32, where what is kept is not
    private int n;

    FrozenActivations(Backend backend, DecoderConfig config, DecoderWeights weights, Room room, DType type) {
        this.backend = backend;
        this.room = room;
        rounded = type != DType.F32;
        memory = table(config, weights, room, type).carve(backend::allocate);
        for (Kept what : kinds(weights)) {
            var layers = new Tensor[config.layers()];
            for (int l = 0; l < layers.length; l++) {
                layers[l] = memory.get(name(l, what));
            }
            kept.put(what, layers);
            if (rounded) {
                boolean stream = what == Kept.INPUT || what == Kept.MID;
                current.put(what, memory.get(stream ? "x" : what.name().toLowerCase(Locale.ROOT)));
            }
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
        if (type != DType.F32) {
            for (Kept what : kinds(weights)) {
                if (what != Kept.INPUT && what != Kept.MID) {
                    table.add(what.name().toLowerCase(Locale.ROOT), DType.F32, n, width(c, what));
                }
            }
        }
        table.add("x", DType.F32, n, c.hidden()).add("h", DType.F32, n, c.hidden()).add("act", DType.F32, n, c.intermediate())
                .add("dx", DType.F32, n, c.hidden()).add("dh", DType.F32, n, c.hidden())
                .add("dq", DType.F32, n, c.queryWidth()).add("dk", DType.F32, n, c.keyWidth()).add("dv", DType.F32, n, c.keyWidth())
                .add("dattended", DType.F32, n, c.queryWidth());
        long widest = room.projections().stream().mapToInt(c::in).max().orElse(0);
        table.add("adapterIn", DType.F32, n, widest).add("dadapterIn", DType.F32, n, widest);
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

    /** Scratch {@code name} as f32 [n, width]. */
    Tensor wide(String name, long width) {
        return memory.get(name).prefix(n, width);
    }

    /** Whether {@link Kept#INPUT} and {@link Kept#MID} of all layers, and {@link #stream}, are the same memory in the forward. */
    boolean streamsInPlace() {
        return rounded;
    }

    /** The residual stream before layer l, or behind the last one: f32 [n, H]. */
    Tensor stream(int l) {
        return l < kept.get(Kept.INPUT).length ? at(l, Kept.INPUT) : get("x");
    }

    /** Where the forward of layer l computes it: f32 [n, its width]. */
    Tensor at(int l, Kept what) {
        return (rounded ? current.get(what) : kept.get(what)[l]).slice(0, n);
    }

    /** Keeps what was computed, before the next layer overwrites it. */
    void keep(int l, Kept... all) {
        if (rounded) {
            for (Kept what : all) {
                Convert.forward(backend, kept.get(what)[l].slice(0, n), at(l, what));
            }
        }
    }

    /** For the backward of layer l, which may overwrite it: f32 [n, its width]. */
    Tensor recall(int l, Kept what) {
        if (rounded) {
            Convert.forward(backend, at(l, what), kept.get(what)[l].slice(0, n));
        }
        return at(l, what);
    }

    @Override
    public void close() {
        memory.close();
    }
}
