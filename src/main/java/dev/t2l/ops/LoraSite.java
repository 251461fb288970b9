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

/** One site's part of a {@link LoraBatch}: its tables on the host, to be filled, and as the kernels see them. */
final class LoraSite {
    private final LoraWeights.Site site;
    private final LoraRows.Factor[] factors;
    private final LoraRows.Factor unused;
    private final int[] numberHere; // of the batch's adapters; -1 if one does not act here
    private final Tensor table;
    private final Tensor slots;
    private final Tensor weights;
    private final LoraRows rows;

    /** The tables of all sites, one block. */
    static TensorTable layout(LoraShape shape, Collection<LoraWeights.Site> sites, int capacity) {
        var layout = new TensorTable();
        for (LoraWeights.Site site : sites) {
            layout.add(site + ".table", DType.U8, shape.adapters(), LoraRows.ENTRY_BYTES);
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
        weights = here.get(lists + ".weights");
        numberHere = new int[shape.adapters()];
        factors = new LoraRows.Factor[shape.adapters()];
        unused = new LoraRows.Factor(null, null, shape.rank(), 0);
        Arrays.fill(factors, unused);
        rows = new LoraRows(Collections.unmodifiableList(Arrays.asList(factors)), there.get(site + ".table"), there.get(lists + ".slots"),
                there.get(lists + ".weights"), headDim);
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
        long width = slots.cols();
        int entries = 0;
        for (int row = 0; row < of.size(); row++) {
            long next = row * width;
            List<LoraBatch.Entry> list = of.get(row);
            for (int e = 0; e < list.size(); e++) {
                int number = numberHere[numbers[entries++]];
                if (number >= 0) {
                    slots.setInt(next, number);
                    weights.setFloat(next++, list.get(e).weight().at(row, site.layer(), site.projection()));
                }
            }
        }
    }
}
