package dev.t2l.hyper;

import dev.t2l.backend.LoraFactor;
import dev.t2l.hyper.HyperConfig.Target;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;

/**
 * How the rows of one pass are ordered. Modules are outermost, so a module's head reads consecutive rows; layers (and ranks) are
 * innermost, so an adapter's factor is cut from consecutive rows of its head.
 *
 * <p>A <em>site</em> is a row (module, description, layer) of the body; a <em>branch</em> is (module, A or B, description, layer)
 * where the two share a head, else a site; a <em>head row</em> is (branch, rank) where ranks are generated one at a time, else a branch.
 */
record HyperRows(int descriptions, int layers, int modules, int factors, int ranks) {
    static HyperRows of(HyperConfig config, int descriptions) {
        var rows = new HyperRows(descriptions, config.lora().layers(), config.targets().size(), config.factorRows(), config.rankRows());
        try {
            Math.multiplyExact(Math.multiplyExact(rows.perModule(), rows.modules), 2);
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException(descriptions + " descriptions are too many rows for one pass; split them", e);
        }
        return rows;
    }

    int sites() {
        return modules * descriptions * layers;
    }

    int branches() {
        return sites() * factors;
    }

    int headRows() {
        return branches() * ranks;
    }

    /** Head rows of one module. */
    int perModule() {
        return Math.multiplyExact(Math.multiplyExact(Math.multiplyExact(descriptions, layers), factors), ranks);
    }

    /** First of a module's head rows that belongs to a description's A (factor 0) or B (factor 1). */
    int firstOf(int factor, int description) {
        return (factor * descriptions + description) * layers * ranks;
    }

    /** Rows of the largest table that is used whole. */
    int widestTable() {
        return Math.max(Math.max(layers, modules), ranks);
    }

    /** Where a description's A or B lies in its module's head output [head rows, H]. */
    LoraFactor source(HyperConfig config, Target t, int description, boolean b) {
        long headOut = config.headOut(t);
        boolean shared = config.architecture().sharedAbHead();
        boolean byRank = config.architecture().autoregGen();
        long start = firstOf(shared && b ? 1 : 0, description) * headOut;
        long ownRank = byRank || shared ? config.rankWidth(t) : b ? t.out() : t.in();
        if (b && !shared) {
            start += byRank ? t.in() : (long) config.lora().rank() * t.in();
        }
        return new LoraFactor(start, headOut * ranks, ownRank, b);
    }

    int[] identity() {
        return ids(widestTable(), i -> i);
    }

    int[] layerOfSite() {
        return ids(sites(), s -> s % layers);
    }

    int[] descriptionOfSite() {
        return ids(sites(), s -> s / layers % descriptions);
    }

    int[] moduleOfSite() {
        return ids(sites(), s -> s / (descriptions * layers));
    }

    int[] siteOfBranch() {
        int perFactor = descriptions * layers;
        return ids(branches(), b -> b / (perFactor * factors) * perFactor + b % perFactor);
    }

    /** (module, A or B). */
    int[] factorOfBranch() {
        return ids(branches(), b -> b / (descriptions * layers));
    }

    int[] branchOfHeadRow() {
        return ids(headRows(), h -> h / ranks);
    }

    int[] rankOfHeadRow() {
        return ids(headRows(), h -> h % ranks);
    }

    int descriptionOfHeadRow(int row) {
        return row / ranks / layers % descriptions;
    }

    private static int[] ids(int n, IntUnaryOperator id) {
        return IntStream.range(0, n).map(id).toArray();
    }
}
