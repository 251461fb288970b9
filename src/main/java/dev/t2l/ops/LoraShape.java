package dev.t2l.ops;

import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.PowerOfTwo;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/**
 * What the kernels' launches depend on when rows have adapters: batches of one shape can fill the same {@link LoraBatch} one after another.
 *
 * @param sites    where any adapter acts; nowhere else is anything launched
 * @param adapters the most different ones of a batch
 * @param width    the longest list of a row
 * @param rank     the largest of any matrix
 * @param alike    whether all adapters act at all sites, as strongly at each: then the rows' lists are the same everywhere, and kept once
 * @param routed   whether rows may choose among their adapters: then each site has a launch more
 */
public record LoraShape(Set<LoraWeights.Site> sites, int adapters, int width, int rank, boolean alike, boolean routed) {
    /** Of batches without adapters. */
    public static final LoraShape NONE = new LoraShape(Set.of(), 0, 0, 0, true, false);

    private static final int LEAST_RANK = 8;

    /** The smallest shape that has room for these rows, each a list of adapters. */
    public static LoraShape of(Collection<List<LoraBatch.Entry>> rows) {
        Set<LoraWeights> adapters = Collections.newSetFromMap(new IdentityHashMap<>());
        int width = 0;
        boolean alike = true;
        boolean routed = false;
        List<LoraBatch.Entry> before = List.of();
        for (List<LoraBatch.Entry> row : rows) {
            if (row == before) {
                continue;
            }
            before = row;
            width = Math.max(width, row.size());
            for (LoraBatch.Entry entry : row) {
                adapters.add(entry.adapter());
                alike &= entry.weight() instanceof LoraBatch.Constant;
                routed |= entry.weight() instanceof LoraBatch.Routed;
            }
        }
        return adapters.isEmpty() ? NONE : of(adapters, width, alike, routed);
    }

    private static LoraShape of(Set<LoraWeights> adapters, int width, boolean constant, boolean routed) {
        Set<LoraWeights.Site> sites = new HashSet<>();
        int rank = 0;
        for (LoraWeights adapter : adapters) {
            sites.addAll(adapter.pairs().keySet());
            rank = Math.max(rank, rank(adapter));
        }
        boolean alike = constant && adapters.stream().allMatch(adapter -> adapter.pairs().size() == sites.size());
        return new LoraShape(Collections.unmodifiableSet(sites), adapters.size(), width, rank, alike, routed);
    }

    private static int rank(LoraWeights adapter) {
        int rank = 0;
        for (LoraWeights.Pair pair : adapter.pairs().values()) {
            rank = Math.max(rank, pair.rank());
        }
        return rank;
    }

    /** The shape that batches about like this one share: numbers are powers of two, the rank at least 8, the adapters fewer than there is room for. */
    public LoraShape rounded() {
        return sites.isEmpty() ? this : new LoraShape(sites, PowerOfTwo.atLeast(adapters + 1), PowerOfTwo.atLeast(width), Math.max(LEAST_RANK, PowerOfTwo.atLeast(rank)), alike,
                routed);
    }

    /** The smallest shape that has room for what either has room for. */
    public LoraShape and(LoraShape other) {
        if (sites.isEmpty() || other.sites.isEmpty()) {
            return sites.isEmpty() ? other : this;
        }
        Set<LoraWeights.Site> all = new HashSet<>(sites);
        all.addAll(other.sites);
        boolean same = all.size() == sites.size() && all.size() == other.sites.size();
        return new LoraShape(Collections.unmodifiableSet(all), Math.max(adapters, other.adapters), Math.max(width, other.width), Math.max(rank, other.rank),
                alike && other.alike && same, routed || other.routed);
    }

    /** @throws IllegalArgumentException naming what there is no room for */
    void requireRoomFor(LoraShape other) {
        var missing = new ArrayList<LoraWeights.Site>(other.sites);
        missing.removeAll(sites);
        if (!missing.isEmpty() || other.adapters > adapters || other.width > width || other.rank > rank || alike && !other.alike || other.routed && !routed) {
            throw new IllegalArgumentException("adapters of " + other.described() + " in tables for " + described()
                    + (missing.isEmpty() ? "" : "; nothing there acts on " + missing.getFirst()));
        }
        if (alike && !other.sites.isEmpty() && other.sites.size() != sites.size()) {
            throw new IllegalArgumentException("adapters on " + other.sites.size() + " of the " + sites.size() + " places where all adapters of this table act");
        }
    }

    private String described() {
        return adapters + " adapters, " + width + " a row, of rank " + rank + " at " + sites.size() + " places" + (alike ? " alike" : "") + (routed ? " to choose from" : "");
    }
}
