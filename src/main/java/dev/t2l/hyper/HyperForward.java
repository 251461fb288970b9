package dev.t2l.hyper;

import dev.t2l.backend.Activation;
import dev.t2l.backend.Backend;
import dev.t2l.backend.Head;
import dev.t2l.hyper.HyperActivations.Block;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.ops.Activate;
import dev.t2l.ops.Add;
import dev.t2l.ops.Embedding;
import dev.t2l.ops.HyperHead;
import dev.t2l.ops.LayerNorm;
import dev.t2l.ops.Linear;
import dev.t2l.ops.Products;
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

    /** Everything up to the heads; returns their input [head rows, head_in]. */
    Tensor body(HyperActivations acts, Tensor embeddings, HyperDropout dropout) {
        boolean shared = config.architecture().sharedAbHead();
        boolean byRank = config.architecture().autoregGen();
        boolean positions = byRank && config.architecture().learnablePosEmb();

        acts.once(() -> learned(acts, dropout));
        Tensor x = mixer(acts, phi(acts, embeddings), dropout);
        x = residual(acts.block("mlp1"), x, "mlp1.mlp", dropout);
        if (shared) {
            x = addFactor(acts, x);
        }
        if (shared || !byRank) {
            x = residual(acts.block("mlp2"), x, "mlp2.mlp", dropout);
        }
        if (byRank) {
            x = positions ? addPosition(acts, x) : rotate(acts, x);
            if (!(shared && positions)) {
                x = residual(acts.block("rank.mlp2"), x, "mlp2.mlp", dropout);
            }
        }
        Block mlp3 = acts.block("mlp3");
        norm(mlp3.norm(), x, "mlp3.0");
        return feedForward(mlp3, mlp3.norm(), "mlp3", dropout.within());
    }

    /** What depends on no embedding: depth and type in phi, and the rows of factors and of positions, or their angles. */
    private void learned(HyperActivations acts, HyperDropout dropout) {
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

    /** Task, depth and type side by side: [sites, D]. */
    private Tensor phi(HyperActivations acts, Tensor embeddings) {
        Tensor task = acts.get("task.norm");
        linear(acts.get("task.linear"), embeddings, "task_encoder.mlp.0");
        norm(task, acts.get("task.linear"), "task_encoder.mlp.1");
        Embedding.into(backend, acts.get("phi"), 0, task, acts.get("description_of_site"), 1);
        return acts.get("phi");
    }

    /** A learned table, each row normed: f32 of its shape. */
    private Tensor normedTable(HyperActivations acts, String activation, String name) {
        Tensor rows = acts.get(activation + ".emb");
        Tensor table = weights.get(name + ".0.weight");
        Embedding.forward(backend, rows, table, acts.get("identity").prefix(table.rows()), 1);
        norm(acts.get(activation + ".norm"), rows, name + ".1");
        return acts.get(activation + ".norm");
    }

    private Tensor mixer(HyperActivations acts, Tensor phi, HyperDropout dropout) {
        Block mixer = acts.block("mixer");
        dropout.input(backend, phi, phi, mixer);
        return feedForward(mixer, phi, "mixer", dropout);
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
        return config.architecture().sharedAbHead() ? residual(acts.block("pos.mlp2"), p, "mlp2.mlp", dropout) : p;
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

    /** {@code x + feedForward(LayerNorm(x))}. */
    private Tensor residual(Block block, Tensor x, String name, HyperDropout dropout) {
        norm(block.norm(), x, name + ".0");
        if (!block.kept()) {
            return fused(block, block.norm(), name, x);
        }
        feedForward(block, block.norm(), name, dropout);
        Add.forward(backend, block.out(), x, 1);
        return block.out();
    }

    /** {@code silu(down(silu(up(x))))}, dropout after either silu. */
    private Tensor feedForward(Block block, Tensor x, String name, HyperDropout dropout) {
        if (!block.kept()) {
            return fused(block, x, name, null);
        }
        linear(block.up(), x, name + ".1");
        Activate.forward(backend, block.act(), block.up(), Activation.SILU);
        dropout.inside(backend, block.act(), block.act(), block);
        linear(block.down(), block.act(), name + ".4");
        Activate.forward(backend, block.out(), block.down(), Activation.SILU);
        dropout.output(backend, block.out(), block.out(), block);
        return block.out();
    }

    /** The same without dropout, plus {@code residual} unless that is null. */
    private Tensor fused(Block block, Tensor x, String name, Tensor residual) {
        activated(block.act(), x, name + ".1", null);
        activated(block.out(), block.act(), name + ".4", residual);
        return block.out();
    }

    private void activated(Tensor y, Tensor x, String name, Tensor residual) {
        Products.activated(backend, y, x, weights.get(name + ".weight"), weights.get(name + ".bias"), Activation.SILU, residual);
    }

    private void linear(Tensor y, Tensor x, String name) {
        Linear.forward(backend, y, x, weights.get(name + ".weight"), weights.get(name + ".bias"));
    }

    private void norm(Tensor out, Tensor x, String name) {
        LayerNorm.forward(backend, out, x, weights.get(name + ".weight"), weights.get(name + ".bias"), NORM_EPS);
    }

    private Tensor orNull(String name) {
        return weights.tensors().get(name);
    }
}
