package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Placement;
import dev.t2l.tensor.LoraWeights;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/** Adapters where a backend's kernels can use them: those whose matrices are there already, and copies of others, each made once. */
public final class PlacedAdapters implements AutoCloseable {
    private final Placement placement;
    private final Map<LoraWeights, LoraWeights> placed = new IdentityHashMap<>();
    private final Map<List<LoraBatch.Entry>, List<LoraBatch.Entry>> lists = new IdentityHashMap<>();

    public PlacedAdapters(Backend backend) {
        placement = backend.placement();
    }

    /** The same list, of adapters that kernels can use until this is closed. */
    public List<LoraBatch.Entry> entries(List<LoraBatch.Entry> adapters) {
        return lists.computeIfAbsent(adapters, list -> list.stream().map(entry -> new LoraBatch.Entry(place(entry.adapter()), place(entry.weight()))).toList());
    }

    private LoraWeights place(LoraWeights adapter) {
        return placed.computeIfAbsent(adapter, a -> a.moved(placement::place));
    }

    private LoraBatch.Weight place(LoraBatch.Weight weight) {
        return weight instanceof LoraBatch.Routed routed ? routed.moved(placement::place) : weight;
    }

    /** Frees the copies. */
    @Override
    public void close() {
        placement.close();
    }
}
