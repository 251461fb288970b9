package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.backend.LoraRows;
import dev.t2l.backend.Placement;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
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
 * Owns its tables; borrows the adapters, except that matrices on the host are copied to a backend that is elsewhere.
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
    private final Weights memory;
    private final Placement placed;

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
        int layers = all.isEmpty() ? 0 : all.last().layer() + 1;
        lookup = new LoraRows[layers][Projection.values().length];
        int width = Math.max(1, rows.stream().mapToInt(List::size).max().orElse(1));
        var table = new TensorTable();
        for (LoraWeights.Site site : all) {
            long here = adapters.stream().filter(a -> a.pairs().containsKey(site)).count();
            table.add(site + ".table", DType.U8, here, LoraRows.ENTRY_BYTES).add(site + ".slots", DType.I32, rows.size(), width)
                    .add(site + ".weights", DType.F32, rows.size(), width);
        }
        memory = table.carve(backend::allocate);
        placed = backend.placement();
        try {
            for (LoraWeights.Site site : all) {
                lookup[site.layer()][site.projection().ordinal()] = fill(backend, rows, adapters, index, site, headDim.applyAsInt(site.projection()));
            }
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    private LoraRows fill(Backend backend, List<List<Entry>> rows, List<LoraWeights> adapters, Map<LoraWeights, Integer> index,
            LoraWeights.Site site, int headDim) {
        var factors = new ArrayList<LoraRows.Factor>();
        int[] factorOf = new int[adapters.size()];
        for (int a = 0; a < factorOf.length; a++) {
            LoraWeights.Pair pair = adapters.get(a).pairs().get(site);
            factorOf[a] = pair == null ? -1 : factors.size();
            if (pair != null) {
                factors.add(new LoraRows.Factor(placed.place(pair.a()), placed.place(pair.b()), pair.rank(), pair.scale()));
            }
        }
        var at = new LoraRows(List.copyOf(factors), memory.get(site + ".table"), memory.get(site + ".slots"), memory.get(site + ".weights"), headDim);
        try (Arena arena = Arena.ofConfined()) {
            backend.upload(at.table(), entries(arena, factors));
            Tensor slots = Tensor.allocate(arena, DType.I32, at.slots().shape());
            Tensor weights = Tensor.allocate(arena, DType.F32, at.weights().shape());
            long width = slots.cols();
            for (int r = 0; r < rows.size(); r++) {
                long next = r * width;
                for (Entry entry : rows.get(r)) {
                    int factor = factorOf[index.get(entry.adapter())];
                    if (factor >= 0) {
                        slots.setInt(next, factor);
                        weights.setFloat(next++, entry.weight().at(r, site.layer(), site.projection()));
                    }
                }
                for (; next < (r + 1) * width; next++) {
                    slots.setInt(next, -1);
                }
            }
            backend.upload(at.slots(), slots.data());
            backend.upload(at.weights(), weights.data());
        }
        return at;
    }

    private static MemorySegment entries(Arena arena, List<LoraRows.Factor> factors) {
        MemorySegment table = arena.allocate((long) factors.size() * LoraRows.ENTRY_BYTES, 8);
        for (int f = 0; f < factors.size(); f++) {
            long at = (long) f * LoraRows.ENTRY_BYTES;
            table.set(ValueLayout.JAVA_LONG, at, factors.get(f).a().address());
            table.set(ValueLayout.JAVA_LONG, at + 8, factors.get(f).b().address());
            table.set(ValueLayout.JAVA_INT, at + 16, factors.get(f).rank());
            table.set(ValueLayout.JAVA_FLOAT, at + 20, factors.get(f).scale());
        }
        return table;
    }

    /** The rows' adapters at a site; null if none acts there. */
    public LoraRows at(int layer, Projection projection) {
        return layer < lookup.length ? lookup[layer][projection.ordinal()] : null;
    }

    @Override
    public void close() {
        placed.close();
        memory.close();
    }
}
