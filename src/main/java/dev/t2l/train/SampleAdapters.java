package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.backend.LoraGradients;
import dev.t2l.backend.LoraRows;
import dev.t2l.backend.LoraSpans;
import dev.t2l.model.Decoder;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * The adapters that the samples of a step choose from, and their gradients. Which rows each acts on is the {@link TrainingBatch}'s matter, so
 * the same object serves every batch and every step while the matrices stay where they are. Owns its tables, borrows the matrices.
 */
public final class SampleAdapters implements AutoCloseable {

    /**
     * What the adapters need to know of a batch.
     *
     * @param slots   i32 [n, 1]: each row's adapter
     * @param weights f32 [n, 1]: ones
     * @param spans   i32 [K, 2]: each adapter's rows
     * @param longest rows of the longest span
     */
    record Assignment(Tensor slots, Tensor weights, Tensor spans, int longest) {
    }

    private record Acting(List<LoraRows.Factor> factors, List<LoraRows.Factor> gradients, Tensor table, int headDim) {
    }

    private final int count;
    private final Map<Site, Acting> sites = new TreeMap<>();
    private final Weights memory;

    /**
     * @param decoder   what they act on
     * @param adapters  K of them, all with pairs at the same sites, in the backend's memory
     * @param gradients as many, with the same shapes; added to
     * @throws IllegalArgumentException if an adapter does not fit the decoder, or the adapters or gradients not each other
     */
    public SampleAdapters(Decoder decoder, List<LoraWeights> adapters, List<LoraWeights> gradients) {
        count = adapters.size();
        if (count == 0 || gradients.size() != count) {
            throw new IllegalArgumentException("each of the adapters needs gradients of its own: there are " + count + " and " + gradients.size());
        }
        Set<Site> all = adapters.getFirst().pairs().keySet();
        for (int k = 0; k < count; k++) {
            decoder.requireFits(adapters.get(k));
            requireSame(all, adapters.get(k), gradients.get(k), k);
        }
        Backend backend = decoder.backend();
        var table = new TensorTable();
        all.forEach(site -> table.add(site.toString(), DType.U8, 2L * count, LoraRows.ENTRY_BYTES));
        memory = table.carve(backend::allocate);
        try {
            for (Site site : all) {
                sites.put(site, acting(backend, site, adapters, gradients, decoder.interleavedHeadDim(site.projection())));
            }
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    private static void requireSame(Set<Site> sites, LoraWeights adapter, LoraWeights gradient, int k) {
        if (!adapter.pairs().keySet().equals(sites) || !gradient.pairs().keySet().equals(sites)) {
            throw new IllegalArgumentException("adapter " + k + " or its gradient has pairs elsewhere than adapter 0: " + adapter.pairs().keySet() + " and "
                    + gradient.pairs().keySet() + ", not " + sites);
        }
        adapter.pairs().forEach((site, pair) -> {
            Pair g = gradient.pairs().get(site);
            if (g.rank() != pair.rank() || g.in() != pair.in() || g.out() != pair.out()) {
                throw new IllegalArgumentException("the gradient of adapter " + k + " at " + site + " is " + g + ", the adapter " + pair);
            }
        });
    }

    private Acting acting(Backend backend, Site site, List<LoraWeights> adapters, List<LoraWeights> gradients, int headDim) {
        Tensor table = memory.get(site.toString());
        List<LoraRows.Factor> factors = new ArrayList<>();
        List<LoraRows.Factor> changes = new ArrayList<>();
        for (int k = 0; k < count; k++) {
            Pair pair = adapters.get(k).pairs().get(site);
            Pair gradient = gradients.get(k).pairs().get(site);
            factors.add(new LoraRows.Factor(pair.a(), pair.b(), pair.rank(), pair.scale()));
            changes.add(new LoraRows.Factor(gradient.a(), gradient.b(), pair.rank(), pair.scale()));
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment entries = arena.allocate(table.bytes(), 8);
            for (int k = 0; k < 2 * count; k++) {
                put(entries, k, k < count ? factors.get(k) : changes.get(k - count), table);
            }
            backend.upload(table, entries);
        }
        return new Acting(List.copyOf(factors), List.copyOf(changes), table, headDim);
    }

    private static void put(MemorySegment entries, int k, LoraRows.Factor factor, Tensor neighbour) {
        if (factor.a().onHost() != neighbour.onHost() || factor.b().onHost() != neighbour.onHost()) {
            throw new IllegalArgumentException("adapters in training and their gradients must lie in the backend's memory; " + factor.a() + " or " + factor.b() + " does not");
        }
        long at = (long) k * LoraRows.ENTRY_BYTES;
        entries.set(ValueLayout.JAVA_LONG, at, factor.a().address());
        entries.set(ValueLayout.JAVA_LONG, at + 8, factor.b().address());
        entries.set(ValueLayout.JAVA_INT, at + 16, factor.rank());
        entries.set(ValueLayout.JAVA_FLOAT, at + 20, factor.scale());
    }

    /** How many there are, K. */
    public int count() {
        return count;
    }

    /** The projections on which any of them acts. */
    public Set<Projection> projections() {
        var found = EnumSet.noneOf(Projection.class);
        sites.keySet().forEach(site -> found.add(site.projection()));
        return found;
    }

    /** The lowest layer on which they act: no gradient is wanted below. */
    int lowestLayer() {
        return sites.keySet().iterator().next().layer();
    }

    boolean act(int layer, Projection projection) {
        return sites.containsKey(new Site(layer, projection));
    }

    /** Those that act there. */
    LoraSpans spans(int layer, Projection projection, Assignment batch, Regularisation noise) {
        Acting here = sites.get(new Site(layer, projection));
        var rows = new LoraRows(here.factors(), here.table().slice(0, count), batch.slots(), batch.weights(), here.headDim());
        var gradients = new LoraGradients(here.factors(), here.gradients(), batch.spans(), here.table(), batch.longest(), here.headDim());
        return new LoraSpans(rows, gradients, noise.loraDropout(), noise.dropoutSeed(layer, projection));
    }

    @Override
    public void close() {
        memory.close();
    }
}
