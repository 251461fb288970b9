package dev.t2l.hyper;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.util.Arrays;

/** Gradients of intermediates, for {@link HyperBackward}: of the residual stream by level, and of one block at a time. */
final class HyperScratch {
    private HyperScratch() {
    }

    static TensorTable table(HyperConfig config, HyperRows rows) {
        var arch = config.architecture();
        int d = arch.latent();
        var table = new TensorTable();
        f32(table, "head", rows.perModule(), config.widestHead());
        f32(table, "z", rows.headRows(), arch.headIn());
        f32(table, "down", rows.headRows(), Math.max(d, arch.headIn()));
        f32(table, "up", rows.headRows(), 4L * d);
        f32(table, "norm", rows.headRows(), d);
        f32(table, "site", rows.sites(), d);
        f32(table, "task.norm", rows.descriptions(), d / 2);
        f32(table, "task.linear", rows.descriptions(), d / 2);
        f32(table, "depth", rows.layers(), d / 4);
        f32(table, "type", rows.modules(), d / 4);
        if (arch.sharedAbHead()) {
            f32(table, "branch", rows.branches(), d);
            f32(table, "out_emb", rows.modules() * 2, d);
            f32(table, "out_emb.norm", rows.modules() * 2, d);
        }
        if (arch.autoregGen()) {
            f32(table, "rank", rows.headRows(), d);
            if (arch.learnablePosEmb()) {
                f32(table, "pos", rows.ranks(), d);
            } else {
                f32(table, "angles", rows.headRows(), d);
                table.add("negated_rank", DType.I32, rows.headRows());
            }
        }
        return table;
    }

    private static void f32(TensorTable table, String name, long rows, long cols) {
        table.add(name, DType.F32, rows, cols);
    }

    /** Allocates the table and fills in the indices. */
    static Weights allocate(Backend backend, HyperConfig config, HyperRows rows) {
        Weights d = table(config, rows).carve(backend::allocate);
        if (d.has("negated_rank")) {
            int[] negated = Arrays.stream(rows.rankOfHeadRow()).map(k -> -k).toArray();
            backend.upload(d.get("negated_rank"), Tensor.ofInts(negated, negated.length).data());
        }
        return d;
    }
}
