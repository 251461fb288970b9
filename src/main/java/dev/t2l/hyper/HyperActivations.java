package dev.t2l.hyper;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.util.List;

/**
 * Every intermediate of one pass under its own name, in one allocation; nothing but the heads' output is overwritten by a later step. What
 * depends on no task embedding stays for every pass. A pass that is to be differentiated keeps the inputs of the activation functions, too;
 * one that is not may have its embeddings here.
 */
final class HyperActivations implements AutoCloseable {
    private static final List<String> BLOCKS = List.of("mixer", "mlp1", "mlp2", "rank.mlp2", "pos.mlp2", "mlp3");

    /** Intermediates of {@code silu(down(silu(up(norm(x)))))}; D is the latent width. */
    record Block(
            int number,   // its place among all blocks
            Tensor norm,  // [rows, D]; null for the mixer
            Tensor up,    // [rows, 4D]; null unless kept
            Tensor act,   // [rows, 4D]
            Tensor down,  // as out; null unless kept
            Tensor out) { // [rows, D], or [rows, head_in] for mlp3
    }

    private final Weights tensors;
    private final int descriptions;
    private final boolean kept;

    private HyperActivations(Weights tensors, int descriptions, boolean kept) {
        this.tensors = tensors;
        this.descriptions = descriptions;
        this.kept = kept;
    }

    /** How many the indices are for. */
    int descriptions() {
        return descriptions;
    }

    /** Whether what the backward pass needs is kept. */
    boolean kept() {
        return kept;
    }

    long bytes() {
        return tensors.bytes();
    }

    /**
     * All intermediates of a pass over {@code rows}.
     *
     * @param kept whether they include what the backward pass needs
     */
    static TensorTable table(HyperConfig config, HyperRows rows, boolean kept) {
        var arch = config.architecture();
        int d = arch.latent();
        var table = new TensorTable();
        if (!kept) {
            f32(table, "embeddings", rows.descriptions(), arch.embedding());
        }
        ids(table, "identity", rows.widestTable());
        ids(table, "layer_of_site", rows.sites());
        ids(table, "description_of_site", rows.sites());
        ids(table, "module_of_site", rows.sites());
        f32(table, "task.linear", rows.descriptions(), d / 2);
        f32(table, "task.norm", rows.descriptions(), d / 2);
        f32(table, "depth.emb", rows.layers(), d / 4);
        f32(table, "depth.norm", rows.layers(), d / 4);
        f32(table, "type.emb", rows.modules(), d / 4);
        f32(table, "type.norm", rows.modules(), d / 4);
        f32(table, "phi", rows.sites(), d);
        feedForward(table, "mixer", rows.sites(), d, d, kept);
        block(table, "mlp1", rows.sites(), d, d, kept);
        if (arch.sharedAbHead()) {
            ids(table, "site_of_branch", rows.branches());
            ids(table, "factor_of_branch", rows.branches());
            f32(table, "out_emb", rows.modules() * 2, d);
            f32(table, "out_emb.norm", rows.modules() * 2, d);
            f32(table, "out_emb.rows", rows.branches(), d);
            f32(table, "branch", rows.branches(), d);
        }
        if (arch.sharedAbHead() || !arch.autoregGen()) {
            block(table, "mlp2", rows.branches(), d, d, kept);
        }
        if (arch.autoregGen()) {
            byRank(table, config, rows, kept);
        }
        block(table, "mlp3", rows.headRows(), d, arch.headIn(), kept);
        return f32(table, "head", rows.perModule(), config.widestHead());
    }

    private static void byRank(TensorTable table, HyperConfig config, HyperRows rows, boolean kept) {
        var arch = config.architecture();
        int d = arch.latent();
        ids(table, "branch_of_head_row", rows.headRows());
        ids(table, "rank_of_head_row", rows.headRows());
        f32(table, "rank", rows.headRows(), d);
        if (arch.learnablePosEmb()) {
            f32(table, "pos.emb", rows.ranks(), d);
            f32(table, "pos.norm", rows.ranks(), d);
            f32(table, "pos.rows", rows.headRows(), d);
        } else {
            f32(table, "rank.frequencies", 1, d / 2);
            f32(table, "rank.angles", rows.headRows(), d);
        }
        if (arch.learnablePosEmb() && arch.sharedAbHead()) {
            block(table, "pos.mlp2", rows.ranks(), d, d, kept);
        } else {
            block(table, "rank.mlp2", rows.headRows(), d, d, kept);
        }
    }

    private static void block(TensorTable table, String name, long rows, long d, long out, boolean kept) {
        f32(table, name + ".norm", rows, d);
        feedForward(table, name, rows, d, out, kept);
    }

    private static void feedForward(TensorTable table, String name, long rows, long d, long out, boolean kept) {
        if (kept) {
            f32(table, name + ".up", rows, 4 * d);
            f32(table, name + ".down", rows, out);
        }
        f32(table, name + ".act", rows, 4 * d);
        f32(table, name + ".out", rows, out);
    }

    private static TensorTable f32(TensorTable table, String name, long rows, long cols) {
        return table.add(name, DType.F32, rows, cols);
    }

    private static void ids(TensorTable table, String name, long n) {
        table.add(name, DType.I32, n);
    }

    /** Allocates the table and fills in the indices. */
    static HyperActivations allocate(Backend backend, HyperConfig config, HyperRows rows, boolean kept) {
        var a = new HyperActivations(table(config, rows, kept).carve(backend::allocate), rows.descriptions(), kept);
        try {
            a.upload(backend, config, rows);
        } catch (RuntimeException | Error e) {
            a.close();
            throw e;
        }
        return a;
    }

    private void upload(Backend backend, HyperConfig config, HyperRows rows) {
        upload(backend, "identity", rows.identity());
        upload(backend, "layer_of_site", rows.layerOfSite());
        upload(backend, "description_of_site", rows.descriptionOfSite());
        upload(backend, "module_of_site", rows.moduleOfSite());
        if (config.architecture().sharedAbHead()) {
            upload(backend, "site_of_branch", rows.siteOfBranch());
            upload(backend, "factor_of_branch", rows.factorOfBranch());
        }
        if (config.architecture().autoregGen()) {
            upload(backend, "branch_of_head_row", rows.branchOfHeadRow());
            upload(backend, "rank_of_head_row", rows.rankOfHeadRow());
            if (!config.architecture().learnablePosEmb()) {
                backend.upload(get("rank.frequencies"), frequencies(config.architecture().latent()).data());
            }
        }
    }

    private void upload(Backend backend, String name, int[] ids) {
        backend.upload(get(name), Tensor.ofInts(ids, ids.length).data());
    }

    /** {@code 10000^(-2j/D)}, j below D/2. */
    private static Tensor frequencies(int d) {
        float[] f = new float[d / 2];
        for (int j = 0; j < f.length; j++) {
            f[j] = (float) Math.pow(10_000, -2.0 * j / d);
        }
        return Tensor.ofFloats(f, f.length);
    }

    Tensor get(String name) {
        return tensors.get(name);
    }

    Block block(String name) {
        return new Block(BLOCKS.indexOf(name), orNull(name + ".norm"), orNull(name + ".up"), get(name + ".act"), orNull(name + ".down"), get(name + ".out"));
    }

    private Tensor orNull(String name) {
        return tensors.tensors().get(name);
    }

    @Override
    public void close() {
        tensors.close();
    }
}
