package dev.t2l.ops;

import dev.t2l.backend.LoraRows;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Objects;

/** One site's part of a {@link LoraBatch}: its tables on the host, to be filled, and as the kernels see them. */
final class LoraSite {
    private final LoraWeights.Site site;
    private final LoraRows.Factor[] factors;
    private final LoraRows.Factor unused;
    private final int[] numberHere; // of the batch's adapters; -1 if one does not act here
    private final Tensor table;
    private final Tensor slots;
    private final Tensor weights; // those that are given, where rows choose
    private final Tensor[] prototypes; // null where rows do not choose, as are the next two
    private final Tensor prototypeTable;
    private final Tensor choices;
    private final LoraRows rows;

    /** The tables of all sites, one block. */
    static TensorTable layout(LoraShape shape, Collection<LoraWeights.Site> sites, int capacity) {
        var layout = new TensorTable();
        for (LoraWeights.Site site : sites) {
            layout.add(site + ".table", DType.U8, shape.adapters(), LoraRows.ENTRY_BYTES);
            if (shape.routed()) {
                layout.add(site + ".prototypes", DType.U8, shape.adapters(), LoraRows.Routing.ENTRY_BYTES).add(site + ".given", DType.F32, capacity, shape.width())
                        .add(site + ".choices", DType.F32, capacity, 2);
            }
            if (!shape.alike()) {
                lists(layout, site.toString(), shape, capacity);
            }
        }
        if (shape.alike()) {
            lists(layout, "all", shape, capacity);
        }
        return layout;
    }

    private static void lists(TensorTable layout, String name, LoraShape shape, int capacity) {
        layout.add(name + ".slots", DType.I32, capacity, shape.width()).add(name + ".weights", DType.F32, capacity, shape.width());
    }

    /**
     * @param here  the tables on the host
     * @param there the kernels' copies
     */
    LoraSite(LoraWeights.Site site, LoraShape shape, Weights here, Weights there, int headDim) {
        this.site = site;
        String lists = shape.alike() ? "all" : site.toString();
        table = here.get(site + ".table");
        slots = here.get(lists + ".slots");
        weights = here.get(shape.routed() ? site + ".given" : lists + ".weights");
        prototypes = shape.routed() ? new Tensor[shape.adapters()] : null;
        prototypeTable = shape.routed() ? here.get(site + ".prototypes") : null;
        choices = shape.routed() ? here.get(site + ".choices") : null;
        numberHere = new int[shape.adapters()];
        factors = new LoraRows.Factor[shape.adapters()];
        unused = new LoraRows.Factor(null, null, shape.rank(), 0);
        Arrays.fill(factors, unused);
        rows = new LoraRows(Collections.unmodifiableList(Arrays.asList(factors)), there.get(site + ".table"), there.get(lists + ".slots"),
                there.get(lists + ".weights"), headDim, shape.routed() ? routing(there) : null);
    }

    private LoraRows.Routing routing(Weights there) {
        return new LoraRows.Routing(Collections.unmodifiableList(Arrays.asList(prototypes)), there.get(site + ".prototypes"), there.get(site + ".given"),
                there.get(site + ".choices"));
    }

    LoraRows rows() {
        return rows;
    }

    /** Takes the adapters of the batch that act here. */
    void adapters(List<LoraWeights> adapters) {
        int count = 0;
        for (int a = 0; a < adapters.size(); a++) {
            LoraWeights.Pair pair = adapters.get(a).pairs().get(site);
            numberHere[a] = pair == null ? -1 : count;
            if (pair != null) {
                factors[count] = new LoraRows.Factor(pair.a(), pair.b(), pair.rank(), pair.scale());
                write(count++, pair.a().address(), pair.b().address(), pair.rank(), pair.scale());
            }
        }
        for (; count < factors.length; count++) {
            factors[count] = unused;
            write(count, 0, 0, 0, 0);
        }
    }

    /** Takes the prototypes of the batch's adapters, after {@link #adapters}; null for those that are not chosen. */
    void prototypes(List<LoraBatch.Routed> of) {
        Arrays.fill(prototypes, null);
        prototypeTable.data().fill((byte) 0);
        for (int a = 0; a < of.size(); a++) {
            if (numberHere[a] >= 0 && of.get(a) != null) {
                Tensor prototype = of.get(a).prototypes().get(site);
                if (prototype == null) {
                    throw new IllegalArgumentException("adapter " + a + " acts at " + site + " but has no prototype there, by which rows choose it");
                }
                prototypes[numberHere[a]] = prototype;
                prototypeTable.data().set(ValueLayout.JAVA_LONG, (long) numberHere[a] * LoraRows.Routing.ENTRY_BYTES, prototype.address());
            }
        }
    }

    /** An entry of {@link LoraRows#table}. */
    private void write(int number, long a, long b, int rank, float scale) {
        long at = (long) number * LoraRows.ENTRY_BYTES;
        table.data().set(ValueLayout.JAVA_LONG, at, a);
        table.data().set(ValueLayout.JAVA_LONG, at + 8, b);
        table.data().set(ValueLayout.JAVA_INT, at + 16, rank);
        table.data().set(ValueLayout.JAVA_FLOAT, at + 20, scale);
    }

    /**
     * The rows' lists; rows beyond get empty ones.
     *
     * @param numbers which adapter of the batch each entry is, all rows' entries one after another
     */
    void lists(List<List<LoraBatch.Entry>> of, int[] numbers) {
        slots.data().fill((byte) -1); // -1 ends a list
        if (choices != null) {
            choices.data().fill((byte) 0);
        }
        long width = slots.cols();
        int entries = 0;
        for (int row = 0; row < of.size(); row++) {
            long next = row * width;
            List<LoraBatch.Entry> list = of.get(row);
            if (!list.isEmpty() && list.getFirst().weight() instanceof LoraBatch.Routed how) {
                choices.setFloat(2L * row, how.choice().topK());
                choices.setFloat(2L * row + 1, how.choice().temperature());
            }
            for (int e = 0; e < list.size(); e++) {
                int number = numberHere[numbers[entries++]];
                if (number >= 0) {
                    slots.setInt(next, number);
                    weights.setFloat(next++, weight(row, list.get(e).weight(), list.getFirst().weight()));
                }
            }
        }
    }

    private float weight(int row, LoraBatch.Weight weight, LoraBatch.Weight first) {
        LoraBatch.Choice choice = weight instanceof LoraBatch.Routed routed ? routed.choice() : null;
        if (!Objects.equals(choice, first instanceof LoraBatch.Routed routed ? routed.choice() : null)) {
            throw new IllegalArgumentException("row " + row + " of a batch: all its adapters must be chosen from in the same way, or none of them");
        }
        return weight instanceof LoraBatch.Routed routed ? routed.factor() : weight.at(row, site.layer(), site.projection());
    }
}
