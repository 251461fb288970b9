package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.backend.LoraRows;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.ToIntFunction;
import java.util.function.UnaryOperator;

/**
 * Which adapters act on which rows of a batch, at every layer and projection, laid out for the kernels: one block of tables, filled on
 * the host and uploaded at once. {@link #fill} changes what the tables say, not where they are nor what launches depend on
 * ({@link LoraShape}), so recorded launches read the new adapters. Owns its tables, borrows the adapters.
 */
public final class LoraBatch implements AutoCloseable {

    /** How strongly an adapter acts, which may depend on where and on what. */
    @FunctionalInterface
    public interface Weight {
        /** The weight on the product of the adapter's pair at {@code layer} and {@code projection} for row {@code row} of the batch. */
        float at(int row, int layer, Projection projection);

        /** The same weight everywhere. */
        static Weight constant(float weight) {
            return new Constant(weight);
        }
    }

    record Constant(float weight) implements Weight {
        @Override
        public float at(int row, int layer, Projection projection) {
            return weight;
        }
    }

    /** How a row chooses among the adapters of its list: {@link Route}. */
    public record Choice(int topK, float temperature) {
        /** @throws IllegalArgumentException unless both are positive */
        public Choice {
            if (topK < 1 || !(temperature > 0) || Float.isInfinite(temperature)) {
                throw new IllegalArgumentException("a row chooses at least one adapter, with a positive temperature; got " + topK + " and " + temperature);
            }
        }
    }

    /**
     * The weight of an adapter that rows may choose or not; all entries of a row's list are such, with the same choice.
     *
     * @param factor     on the weight that it gets when it is chosen
     * @param prototypes for each place where it acts, f32 [in]; see {@link ArrowPrototype}
     */
    public record Routed(float factor, Map<LoraWeights.Site, Tensor> prototypes, Choice choice) implements Weight {
        @Override
        public float at(int row, int layer, Projection projection) {
            throw new IllegalStateException("each token chooses its adapters; there is no weight before that");
        }

        /** With prototypes elsewhere. */
        Routed moved(UnaryOperator<Tensor> move) {
            Map<LoraWeights.Site, Tensor> there = new HashMap<>();
            prototypes.forEach((site, prototype) -> there.put(site, move.apply(prototype)));
            return new Routed(factor, there, choice);
        }
    }

    /** An adapter on a row's list. */
    public record Entry(LoraWeights adapter, Weight weight) {
    }

    private final Backend backend;
    private final LoraShape shape;
    private final int capacity;
    private final LoraRows[][] lookup;
    private final List<LoraSite> sites = new ArrayList<>();
    private final PlacedAdapters placed; // null if they are the caller's business
    private final Memory staging;        // the tables on the host
    private final Memory memory;
    private final Tensor tables;

    /**
     * Empty tables, for {@link #fill}.
     *
     * @param capacity the most rows of a batch
     * @param headDim  of a projection whose output rows are interleaved (see {@link LoraRows#headDim}), else 0
     */
    public LoraBatch(Backend backend, LoraShape shape, int capacity, ToIntFunction<Projection> headDim) {
        this(backend, shape, capacity, headDim, null);
    }

    /**
     * A batch of these rows and no other.
     *
     * @param rows    each row's adapters, in the order in which they are added; host matrices are copied to a backend that is elsewhere
     * @param headDim as above
     */
    public LoraBatch(Backend backend, List<List<Entry>> rows, ToIntFunction<Projection> headDim) {
        this(backend, LoraShape.of(rows), rows.size(), headDim, new PlacedAdapters(backend));
        try {
            fill(rows.stream().map(placed::entries).toList());
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    private LoraBatch(Backend backend, LoraShape shape, int capacity, ToIntFunction<Projection> headDim, PlacedAdapters placed) {
        this.backend = backend;
        this.shape = shape;
        this.capacity = capacity;
        this.placed = placed;
        var ordered = new TreeSet<>(shape.sites());
        TensorTable layout = LoraSite.layout(shape, ordered, capacity);
        staging = backend.pinned(layout.bytes());
        memory = backend.allocate(layout.bytes());
        tables = Tensor.of(DType.U8, memory.segment(), layout.bytes());
        Weights here = layout.carve(_ -> staging);
        Weights there = layout.carve(_ -> memory);
        lookup = new LoraRows[ordered.isEmpty() ? 0 : ordered.last().layer() + 1][Projection.values().length];
        for (LoraWeights.Site site : ordered) {
            var at = new LoraSite(site, shape, here, there, headDim.applyAsInt(site.projection()));
            sites.add(at);
            lookup[site.layer()][site.projection().ordinal()] = at.rows();
        }
    }

    /**
     * Other adapters for the rows; those beyond {@code rows} get none. What used the tables before must be done ({@link Backend#await}).
     *
     * @param rows each row's adapters, where the backend can use them, in the order in which they are added
     * @throws IllegalArgumentException if the shape has no room for them
     */
    public void fill(List<List<Entry>> rows) {
        if (rows.size() > capacity) {
            throw new IllegalArgumentException(rows.size() + " rows in tables for " + capacity);
        }
        shape.requireRoomFor(LoraShape.of(rows));
        if (sites.isEmpty()) {
            return;
        }
        Map<LoraWeights, Integer> index = new IdentityHashMap<>();
        List<LoraWeights> adapters = new ArrayList<>();
        List<Routed> prototypes = new ArrayList<>(); // of each adapter; null where it is not chosen
        for (List<Entry> row : rows) {
            for (Entry entry : row) {
                if (index.putIfAbsent(entry.adapter(), adapters.size()) == null) {
                    adapters.add(entry.adapter());
                    prototypes.add(null);
                }
                if (entry.weight() instanceof Routed routed) {
                    prototypes.set(index.get(entry.adapter()), routed);
                }
            }
        }
        int[] numbers = rows.stream().flatMap(List::stream).mapToInt(entry -> index.get(entry.adapter())).toArray();
        for (int s = 0; s < sites.size(); s++) {
            sites.get(s).adapters(adapters);
            if (shape.routed()) {
                sites.get(s).prototypes(prototypes);
            }
            if (s == 0 || !shape.alike()) {
                sites.get(s).lists(rows, numbers);
            }
        }
        backend.upload(tables, staging.segment());
    }

    /** The rows' adapters at a site; null if none acts there. */
    public LoraRows at(int layer, Projection projection) {
        return layer < lookup.length ? lookup[layer][projection.ordinal()] : null;
    }

    public LoraShape shape() {
        return shape;
    }

    /** Rows that there is room for. */
    public int capacity() {
        return capacity;
    }

    /** Bytes of the tables. */
    public long bytes() {
        return tables.bytes();
    }

    @Override
    public void close() {
        if (placed != null) {
            placed.close();
        }
        memory.close();
        staging.close();
    }
}
