package dev.t2l.hyper;

import dev.t2l.backend.AffineNorm;
import dev.t2l.backend.Backend;
import dev.t2l.backend.Head;
import dev.t2l.backend.Product;
import dev.t2l.backend.TaskEncoder;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.ops.Add;
import dev.t2l.ops.Embedding;
import dev.t2l.ops.HyperHead;
import dev.t2l.ops.LayerNorm;
import dev.t2l.ops.Rope;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * The steps of a hypernetwork's pass, from task embeddings to adapters (arXiv 2506.06105, section 3). {@link HyperBackward} has the
 * same steps upwards.
 *
 * @param weights the trainable tensors of {@link HyperParameters}, on the backend
 */
record HyperForward(HyperConfig config, Weights weights, OutputAffine affine, Backend backend) {
    static final float NORM_EPS = 1e-5f;

    /** @throws IllegalArgumentException if these are no embeddings f32 [n, E] of the network's width */
    void check(Tensor embeddings) {
        int width = config.architecture().embedding();
        if (embeddings.dtype() != DType.F32 || embeddings.rank() != 2 || embeddings.rows() < 1 || embeddings.cols() != width) {
            throw new IllegalArgumentException("task embeddings must be F32[n, " + width + "], are " + embeddings
                    + "; HINT: was the encoder " + config.origin().embModel().orElse(config.origin().baseModel()) + "?");
        }
    }

    /** Everything up to the heads; returns their input [head rows, head_in]. What is {@link #learned} must be there. */
    Tensor body(HyperActivations acts, Tensor embeddings, HyperDropout dropout) {
        boolean shared = config.architecture().sharedAbHead();
        boolean byRank = config.architecture().autoregGen();
        boolean positions = byRank && config.architecture().learnablePosEmb();

        HyperBlocks blocks = blocks(acts, dropout).from(acts.get("phi"), task(acts, embeddings)).mixer().residual("mlp1", "mlp1.mlp");
        if (shared) {
            blocks.from(addFactor(acts, blocks.end()), null);
        }
        if (shared || !byRank) {
            blocks.residual("mlp2", "mlp2.mlp");
        }
        if (byRank) {
            Tensor x = blocks.end();
            blocks.from(positions ? addPosition(acts, x) : rotate(acts, x), null);
            if (!(shared && positions)) {
                blocks.residual("rank.mlp2", "mlp2.mlp");
            }
        }
        return blocks.last("mlp3").end();
    }

    /** What {@link #body} returned last. */
    Tensor result(HyperActivations acts) {
        return acts.block("mlp3").out();
    }

    private HyperBlocks blocks(HyperActivations acts, HyperDropout dropout) {
        return new HyperBlocks(backend, weights, acts, dropout);
    }

    /** What depends on no embedding: depth and type in phi, and the rows of factors and of positions, or their angles. */
    void learned(HyperActivations acts, HyperDropout dropout) {
        Tensor depth = normedTable(acts, "depth", "layer_depth_encoder");
        Tensor type = normedTable(acts, "type", "layer_type_encoder");
        Tensor phi = acts.get("phi");
        Embedding.into(backend, phi, phi.cols() - type.cols() - depth.cols(), depth, acts.get("layer_of_site"), 1);
        Embedding.into(backend, phi, phi.cols() - type.cols(), type, acts.get("module_of_site"), 1);
        if (config.architecture().sharedAbHead()) {
            Embedding.forward(backend, acts.get("out_emb.rows"), factors(acts), acts.get("factor_of_branch"), 1);
        }
        if (config.architecture().autoregGen()) {
            if (config.architecture().learnablePosEmb()) {
                Embedding.forward(backend, acts.get("pos.rows"), positions(acts, dropout), acts.get("rank_of_head_row"), 1);
            } else {
                Rope.angles(backend, acts.get("rank.angles"), acts.get("rank_of_head_row"), acts.get("rank.frequencies"), 1);
            }
        }
    }

    /** Who writes the tasks' columns of phi, beside depth and type: [sites, D]. */
    private TaskEncoder task(HyperActivations acts, Tensor embeddings) {
        var linear = new Product(acts.get("task.linear"), weights.get("task_encoder.mlp.0.weight"), weights.get("task_encoder.mlp.0.bias"), null);
        var norm = new AffineNorm(weights.get("task_encoder.mlp.1.weight"), weights.get("task_encoder.mlp.1.bias"), NORM_EPS);
        return new TaskEncoder(embeddings, linear, norm, acts.get("task.norm"), acts.get("description_of_site"));
    }

    /** A learned table, each row normed: f32 of its shape. */
    private Tensor normedTable(HyperActivations acts, String activation, String name) {
        Tensor rows = acts.get(activation + ".emb");
        Tensor table = weights.get(name + ".0.weight");
        Embedding.forward(backend, rows, table, acts.get("identity").prefix(table.rows()), 1);
        norm(acts.get(activation + ".norm"), rows, name + ".1");
        return acts.get(activation + ".norm");
    }

    /** LayerNorm(out_emb[module][A or B]): [modules * 2, D]. */
    private Tensor factors(HyperActivations acts) {
        Tensor table = acts.get("out_emb");
        Tensor first = acts.get("identity").prefix(1);
        int row = 0;
        for (Target t : config.targets()) {
            for (String factor : List.of(".A", ".B")) {
                Tensor embedding = weights.get("out_emb." + t.projection().peftName() + factor);
                Embedding.forward(backend, table.slice(row, row + 1), embedding.reshape(1, table.cols()), first, 1);
                row++;
            }
        }
        norm(acts.get("out_emb.norm"), table, "out_emb_norm");
        return acts.get("out_emb.norm");
    }

    /** The learned positions of ranks, through mlp2 where A and B share the head: [ranks, D]. */
    private Tensor positions(HyperActivations acts, HyperDropout dropout) {
        Tensor p = normedTable(acts, "pos", "pos_emb");
        return config.architecture().sharedAbHead() ? blocks(acts, dropout).from(p, null).residual("pos.mlp2", "mlp2.mlp").end() : p;
    }

    /** Sites to branches: {@code x + } {@link #factors} of their module. */
    private Tensor addFactor(HyperActivations acts, Tensor x) {
        Tensor branch = acts.get("branch");
        Embedding.forward(backend, branch, x, acts.get("site_of_branch"), 1);
        Add.forward(backend, branch, acts.get("out_emb.rows"), 1);
        return branch;
    }

    /** Branches to head rows: {@code x + } {@link #positions} of their rank. */
    private Tensor addPosition(HyperActivations acts, Tensor x) {
        Tensor rank = acts.get("rank");
        Embedding.forward(backend, rank, x, acts.get("branch_of_head_row"), 1);
        Add.forward(backend, rank, acts.get("pos.rows"), 1);
        return rank;
    }

    /** Branches to head rows, rotated by their rank over all D features. */
    private Tensor rotate(HyperActivations acts, Tensor x) {
        Tensor rank = acts.get("rank");
        Embedding.forward(backend, rank, x, acts.get("branch_of_head_row"), 1);
        Rope.forward(backend, rank, acts.get("rank.angles"), false);
        return rank;
    }

    /** Each module's head over its rows of {@code z}, cut into the adapters' A and B. */
    void heads(HyperActivations acts, HyperRows rows, Tensor z, List<GeneratedLora> adapters) {
        int perModule = rows.perModule();
        List<Head> heads = new ArrayList<>();
        for (int m = 0; m < rows.modules(); m++) {
            Target t = config.targets().get(m);
            String name = "heads." + t.projection().peftName();
            List<Head.Cut> cuts = new ArrayList<>();
            for (int i = 0; i < adapters.size(); i++) {
                GeneratedLora adapter = adapters.get(i);
                cuts.add(new Head.Cut(adapter.a(t.projection()), rows.source(config, t, i, false),
                        affine.scale('A', t.projection()), affine.shift('A', t.projection())));
                cuts.add(new Head.Cut(adapter.b(t.projection()), rows.source(config, t, i, true),
                        affine.scale('B', t.projection()), affine.shift('B', t.projection())));
            }
            heads.add(new Head(z.slice((long) m * perModule, (m + 1L) * perModule), weights.get(name + ".weight"), orNull(name + ".bias"), cuts));
        }
        HyperHead.forward(backend, heads, acts.get("head"));
    }

    private void norm(Tensor out, Tensor x, String name) {
        LayerNorm.forward(backend, out, x, weights.get(name + ".weight"), weights.get(name + ".bias"), NORM_EPS);
    }

    private Tensor orNull(String name) {
        return weights.tensors().get(name);
    }
}
