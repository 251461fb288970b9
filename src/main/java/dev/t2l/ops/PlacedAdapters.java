package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Placement;
import dev.t2l.tensor.LoraWeights;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Adapters where a backend's kernels can use them: those whose matrices are there already, and copies of others, each made once. Not thread-safe. */
public final class PlacedAdapters implements AutoCloseable {
    /** @param home where its matrices were copied to, if they were */
    private record Copy(LoraWeights there, Placement home) {
    }

    /** @param homes of all of its matrices and prototypes */
    private record PlacedList(List<LoraBatch.Entry> there, Set<Placement> homes) {
    }

    private final Backend backend;
    private final Map<LoraWeights, Copy> placed = new IdentityHashMap<>();
    private final Map<List<LoraBatch.Entry>, PlacedList> lists = new IdentityHashMap<>();
    private final Set<Placement> homes = new HashSet<>();
    private Placement current; // of what comes next

    public PlacedAdapters(Backend backend) {
        this.backend = backend;
    }

    /** The same list, of adapters that kernels can use until this is closed or it is not {@linkplain #retain retained}. */
    public List<LoraBatch.Entry> entries(List<LoraBatch.Entry> adapters) {
        return lists.computeIfAbsent(adapters, this::place).there();
    }

    private PlacedList place(List<LoraBatch.Entry> adapters) {
        if (current == null) {
            current = backend.placement();
            homes.add(current);
        }
        Set<Placement> theirs = new HashSet<>();
        List<LoraBatch.Entry> there = adapters.stream().map(entry -> {
            Copy copy = placed.computeIfAbsent(entry.adapter(), adapter -> new Copy(adapter.moved(current::place), current));
            theirs.add(copy.home());
            return new LoraBatch.Entry(copy.there(), place(entry.weight(), theirs));
        }).toList();
        return new PlacedList(there, theirs);
    }

    private LoraBatch.Weight place(LoraBatch.Weight weight, Set<Placement> theirs) {
        if (!(weight instanceof LoraBatch.Routed routed)) {
            return weight;
        }
        theirs.add(current);
        return routed.moved(current::place);
    }

    /**
     * Forgets all lists but these, and frees the copies that only those needed. Kernels must be done with them.
     *
     * @param used as {@link #entries} gave them
     */
    public void retain(Collection<List<LoraBatch.Entry>> used) {
        Set<List<LoraBatch.Entry>> kept = Collections.newSetFromMap(new IdentityHashMap<>());
        kept.addAll(used);
        lists.values().removeIf(list -> !kept.contains(list.there()));
        Set<Placement> needed = new HashSet<>();
        lists.values().forEach(list -> needed.addAll(list.homes()));
        Set<LoraWeights> acting = Collections.newSetFromMap(new IdentityHashMap<>());
        lists.values().forEach(list -> list.there().forEach(entry -> acting.add(entry.adapter())));
        placed.values().removeIf(copy -> !acting.contains(copy.there()));
        homes.removeIf(home -> {
            if (needed.contains(home)) {
                return false;
            }
            home.close();
            return true;
        });
        current = null;
    }

    /** Lists that it knows. */
    int size() {
        return lists.size();
    }

    /** Frees the copies. */
    @Override
    public void close() {
        retain(List.of());
    }
}
