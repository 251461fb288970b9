package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.backend.LoraRows;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.ToIntFunction;

/**
 * Which adapters act on which rows of a batch, at every layer and projection, laid out for the kernels.
 * Owns its tables; borrows the adapters.
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

    private record Constant(float weight) implements Weight {
        @Override
        public float at(int row, int layer, Projection projection) {
            return weight;
        }
    }

    /** An adapter on a row's list. */
    public record Entry(LoraWeights adapter, Weight weight) {
    }

    private final LoraRows[][] lookup;
    private final List<Runnable> owned = new ArrayList<>();

    /**
     * @param rows    each row's adapters, in the order in which they are added
     * @param headDim of a projection whose output rows are interleaved (see {@link LoraRows#headDim}), else 0
     */
    public LoraBatch(Backend backend, List<List<Entry>> rows, ToIntFunction<Projection> headDim) {
        Map<LoraWeights, Integer> index = new IdentityHashMap<>();
        List<LoraWeights> adapters = new ArrayList<>();
        var all = new TreeSet<LoraWeights.Site>();
        for (List<Entry> row : rows) {
            for (Entry entry : row) {
                if (index.putIfAbsent(entry.adapter(), adapters.size()) == null) {
                    adapters.add(entry.adapter());
                    all.addAll(entry.adapter().pairs().keySet());
                }
            }
        }
        int layers = all.stream().mapToInt(LoraWeights.Site::layer).max().orElse(-1) + 1;
        lookup = new LoraRows[layers][Projection.values().length];
        try {
            for (LoraWeights.Site site : all) {
                lookup[site.layer()][site.projection().ordinal()] = build(backend, rows, adapters, index, site, headDim.applyAsInt(site.projection()));
            }
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    private LoraRows build(Backend backend, List<List<Entry>> rows, List<LoraWeights> adapters, Map<LoraWeights, Integer> index,
            LoraWeights.Site site, int headDim) {
        var factors = new ArrayList<LoraRows.Factor>();
        int[] factorOf = new int[adapters.size()];
        for (int a = 0; a < adapters.size(); a++) {
            LoraWeights.Pair pair = adapters.get(a).pairs().get(site);
            factorOf[a] = pair == null ? -1 : factors.size();
            if (pair != null) {
                factors.add(new LoraRows.Factor(pair.a(), pair.b(), pair.rank(), pair.scale()));
            }
        }
        int width = Math.max(1, rows.stream().mapToInt(List::size).max().orElse(1));
        Weights tables = new TensorTable().add("table", DType.U8, factors.size(), LoraRows.ENTRY_BYTES)
                .add("slots", DType.I32, rows.size(), width).add("weights", DType.F32, rows.size(), width).carve(backend::allocate);
        owned.add(tables::close);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment table = arena.allocate((long) factors.size() * LoraRows.ENTRY_BYTES, 8);
            for (int f = 0; f < factors.size(); f++) {
                long at = (long) f * LoraRows.ENTRY_BYTES;
                table.set(ValueLayout.JAVA_LONG, at, factors.get(f).a().address());
                table.set(ValueLayout.JAVA_LONG, at + 8, factors.get(f).b().address());
                table.set(ValueLayout.JAVA_INT, at + 16, factors.get(f).rank());
                table.set(ValueLayout.JAVA_FLOAT, at + 20, factors.get(f).scale());
            }
            MemorySegment slots = arena.allocate(4L * rows.size() * width, 4);
            MemorySegment weights = arena.allocate(4L * rows.size() * width, 4);
            for (int r = 0; r < rows.size(); r++) {
                int filled = 0;
                for (Entry entry : rows.get(r)) {
                    int factor = factorOf[index.get(entry.adapter())];
                    if (factor >= 0) {
                        slots.setAtIndex(ValueLayout.JAVA_INT, (long) r * width + filled, factor);
                        weights.setAtIndex(ValueLayout.JAVA_FLOAT, (long) r * width + filled, entry.weight().at(r, site.layer(), site.projection()));
                        filled++;
                    }
                }
                for (int i = filled; i < width; i++) {
                    slots.setAtIndex(ValueLayout.JAVA_INT, (long) r * width + i, -1);
                }
            }
            backend.upload(tables.get("table"), table);
            backend.upload(tables.get("slots"), slots);
            backend.upload(tables.get("weights"), weights);
        }
        return new LoraRows(List.copyOf(factors), tables.get("table"), tables.get("slots"), tables.get("weights"), headDim);
    }

    /** The rows' adapters at a site; null if none acts there. */
    public LoraRows at(int layer, Projection projection) {
        return layer < lookup.length ? lookup[layer][projection.ordinal()] : null;
    }

    @Override
    public void close() {
        owned.forEach(Runnable::run);
        owned.clear();
    }
}
