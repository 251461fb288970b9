package dev.t2l.hyper;

import dev.t2l.backend.Activation;
import dev.t2l.backend.Backend;
import dev.t2l.hyper.HyperActivations.Block;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.ops.Activate;
import dev.t2l.ops.Add;
import dev.t2l.ops.Embedding;
import dev.t2l.ops.Fill;
import dev.t2l.ops.HyperHead;
import dev.t2l.ops.LayerNorm;
import dev.t2l.ops.Linear;
import dev.t2l.ops.Rope;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.util.List;

/**
 * {@link HyperForward} upwards: from the gradients of adapters to those of the weights, which are added to.
 *
 * <p>The gradient of the residual stream is one tensor a level ({@link HyperRows}: head rows, branches, sites), changed in place by a block.
 *
 * @param weights   as the forward's
 * @param gradients of the same names and shapes
 */
record HyperBackward(HyperConfig config, Weights weights, Weights gradients, OutputAffine affine, Backend backend) {
    private static final float EPS = HyperForward.NORM_EPS;

    /** All of a pass. {@code acts} are the forward's, kept; {@code d} is {@link HyperScratch}. */
    void run(HyperActivations acts, Weights d, HyperRows rows, Tensor embeddings, List<GeneratedLora> adapters, HyperDropout dropout) {
        heads(acts, d, rows, adapters);
        Tensor dphi = body(acts, d, dropout);
        phi(acts, d, embeddings, dphi);
    }

    /** From the heads' input [head rows, head_in] to phi [sites, D]. */
    private Tensor body(HyperActivations acts, Weights d, HyperDropout dropout) {
        boolean shared = config.architecture().sharedAbHead();
        boolean byRank = config.architecture().autoregGen();
        boolean positions = byRank && config.architecture().learnablePosEmb();
        Tensor site = d.get("site");
        Tensor branch = shared ? d.get("branch") : site;
        Tensor dx = byRank ? d.get("rank") : branch;

        Block mlp3 = acts.block("mlp3");
        Tensor dnorm = feedForward(mlp3, mlp3.norm(), "mlp3", d.get("z"), d, dropout.within());
        Tensor beforeMlp2 = shared ? acts.get("branch") : acts.block("mlp1").out();
        Tensor before = byRank && shared && positions ? acts.get("rank") : acts.block(byRank ? "rank.mlp2" : "mlp2").out();
        norm(dx, dnorm, before, "mlp3.0", false);
        if (byRank) {
            if (!(shared && positions)) {
                residual(acts.block("rank.mlp2"), acts.get("rank"), "mlp2.mlp", dx, d, dropout);
            }
            if (positions) {
                addPosition(acts, d, branch, dx, dropout);
            } else {
                rotate(acts, d, branch, dx);
            }
        }
        if (shared || !byRank) {
            residual(acts.block("mlp2"), beforeMlp2, "mlp2.mlp", branch, d, dropout);
        }
        if (shared) {
            addFactor(acts, d, site, branch);
        }
        residual(acts.block("mlp1"), acts.block("mixer").out(), "mlp1.mlp", site, d, dropout);
        return mixer(acts, d, site, dropout);
    }

    private void phi(HyperActivations acts, Weights d, Tensor embeddings, Tensor dphi) {
        Tensor dtask = d.get("task.norm");
        Fill.forward(backend, dtask, 0);
        Embedding.backward(backend, dtask, dphi, 0, acts.get("description_of_site"), 1);
        long column = dtask.cols();
        normedTable(acts, d, "depth", "layer_depth_encoder", dphi, column, acts.get("layer_of_site"));
        column += acts.get("depth.norm").cols();
        normedTable(acts, d, "type", "layer_type_encoder", dphi, column, acts.get("module_of_site"));

        norm(d.get("task.linear"), dtask, acts.get("task.linear"), "task_encoder.mlp.1", false);
        linearGradient(d.get("task.linear"), embeddings, "task_encoder.mlp.0");
    }

    /** Of rows of a learned table, each normed, that were looked up by {@code ids} and lie in dy from a column on. */
    private void normedTable(HyperActivations acts, Weights d, String activation, String name, Tensor dy, long column, Tensor ids) {
        Tensor dnorm = d.get(activation);
        Fill.forward(backend, dnorm, 0);
        Embedding.backward(backend, dnorm, dy, column, ids, 1);
        norm(gradients.get(name + ".0.weight"), dnorm, acts.get(activation + ".emb"), name + ".1", true);
    }

    private Tensor mixer(HyperActivations acts, Weights d, Tensor dx, HyperDropout dropout) {
        Block mixer = acts.block("mixer");
        Tensor dphi = feedForward(mixer, acts.get("phi"), "mixer", dx, d, dropout);
        dropout.input(backend, dphi, dphi, mixer);
        return dphi;
    }

    /** From branches to sites. */
    private void addFactor(HyperActivations acts, Weights d, Tensor dsite, Tensor dbranch) {
        Fill.forward(backend, dsite, 0);
        Embedding.backward(backend, dsite, dbranch, 0, acts.get("site_of_branch"), 1);
        Tensor dnorm = d.get("out_emb.norm");
        Tensor dtable = d.get("out_emb");
        Fill.forward(backend, dnorm, 0);
        Embedding.backward(backend, dnorm, dbranch, 0, acts.get("factor_of_branch"), 1);
        norm(dtable, dnorm, acts.get("out_emb"), "out_emb_norm", false);
        int row = 0;
        for (Target t : config.targets()) {
            for (String factor : List.of(".A", ".B")) {
                Add.forward(backend, gradients.get("out_emb." + t.projection().peftName() + factor), dtable.get(row), 1);
                row++;
            }
        }
    }

    /** From head rows to branches. */
    private void addPosition(HyperActivations acts, Weights d, Tensor dbranch, Tensor drank, HyperDropout dropout) {
        Fill.forward(backend, dbranch, 0);
        Embedding.backward(backend, dbranch, drank, 0, acts.get("branch_of_head_row"), 1);
        if (!config.architecture().sharedAbHead()) {
            normedTable(acts, d, "pos", "pos_emb", drank, 0, acts.get("rank_of_head_row"));
            return;
        }
        Tensor dp = d.get("pos");
        Fill.forward(backend, dp, 0);
        Embedding.backward(backend, dp, drank, 0, acts.get("rank_of_head_row"), 1);
        residual(acts.block("pos.mlp2"), acts.get("pos.norm"), "mlp2.mlp", dp, d, dropout);
        norm(gradients.get("pos_emb.0.weight"), dp, acts.get("pos.emb"), "pos_emb.1", true);
    }

    /** From head rows to branches. */
    private void rotate(HyperActivations acts, Weights d, Tensor dbranch, Tensor drank) {
        Rope.angles(backend, d.get("angles"), d.get("negated_rank"), acts.get("rank.frequencies"), 1);
        Rope.backward(backend, drank, d.get("angles"), false);
        Fill.forward(backend, dbranch, 0);
        Embedding.backward(backend, dbranch, drank, 0, acts.get("branch_of_head_row"), 1);
    }

    /** From the adapters to the heads' input, {@code z}. */
    private void heads(HyperActivations acts, Weights d, HyperRows rows, List<GeneratedLora> adapters) {
        int perModule = rows.perModule();
        Tensor z = acts.block("mlp3").out();
        for (int m = 0; m < rows.modules(); m++) {
            Target t = config.targets().get(m);
            Tensor dy = d.get("head").prefix(perModule, config.headOut(t));
            if (config.architecture().sharedAbHead()) {
                Fill.forward(backend, dy, 0); // columns beyond the narrower of A and B
            }
            for (int i = 0; i < adapters.size(); i++) {
                GeneratedLora gradient = adapters.get(i);
                HyperHead.backward(backend, dy, gradient.a(t.projection()), rows.source(config, t, i, false), affine.scale('A', t.projection()));
                HyperHead.backward(backend, dy, gradient.b(t.projection()), rows.source(config, t, i, true), affine.scale('B', t.projection()));
            }
            long from = (long) m * perModule;
            String name = "heads." + t.projection().peftName();
            linearGradient(dy, z.slice(from, from + perModule), name);
            Linear.backward(backend, d.get("z").slice(from, from + perModule), dy, weights.get(name + ".weight"), false);
        }
    }

    /** From {@code x + feedForward(LayerNorm(x))} to x, in place. */
    private void residual(Block block, Tensor x, String name, Tensor dx, Weights d, HyperDropout dropout) {
        Tensor dnorm = feedForward(block, block.norm(), name, dx, d, dropout);
        norm(dx, dnorm, x, name + ".0", true);
    }

    /** The gradient of x, in scratch that the next block overwrites. */
    private Tensor feedForward(Block block, Tensor x, String name, Tensor dout, Weights d, HyperDropout dropout) {
        Tensor ddown = d.get("down").prefix(block.down().shape());
        Tensor kept = dropout.output(backend, ddown, dout, block);
        Activate.backward(backend, ddown, kept, block.down(), Activation.SILU);
        linearGradient(ddown, block.act(), name + ".4");

        Tensor dup = d.get("up").prefix(block.up().shape());
        Linear.backward(backend, dup, ddown, weights.get(name + ".4.weight"), false);
        dropout.inside(backend, dup, dup, block);
        Activate.backward(backend, dup, dup, block.up(), Activation.SILU);
        linearGradient(dup, x, name + ".1");

        Tensor dx = d.get("norm").prefix(x.shape());
        Linear.backward(backend, dx, dup, weights.get(name + ".1.weight"), false);
        return dx;
    }

    private void linearGradient(Tensor dy, Tensor x, String name) {
        Linear.gradient(backend, gradients.get(name + ".weight"), gradients.tensors().get(name + ".bias"), dy, x);
    }

    private void norm(Tensor dx, Tensor dy, Tensor x, String name, boolean add) {
        LayerNorm.backward(backend, dx, gradients.get(name + ".weight"), gradients.get(name + ".bias"), dy, x, weights.get(name + ".weight"), EPS, add);
    }
}
