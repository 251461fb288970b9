package dev.t2l.hyper;

import dev.t2l.backend.Activation;
import dev.t2l.backend.Backend;
import dev.t2l.backend.Gate;
import dev.t2l.backend.Head;
import dev.t2l.backend.LoraFactor;
import dev.t2l.backend.Placement;
import dev.t2l.hyper.HyperActivations.Block;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.hyper.HyperParameters.Parameter;
import dev.t2l.ops.Add;
import dev.t2l.ops.Embedding;
import dev.t2l.ops.HyperHead;
import dev.t2l.ops.LayerNorm;
import dev.t2l.ops.Linear;
import dev.t2l.ops.Products;
import dev.t2l.ops.Rope;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;

/**
 * The Text-to-LoRA hypernetwork (arXiv 2506.06105, section 3): task embeddings in, LoRA adapters out. One class serves the
 * variants L, M, S and L by rank.
 *
 * <p>All modules, descriptions and layers are rows of one batch ({@link HyperRows}). A description's adapter has the same bits
 * whatever else is in the batch. Several threads may generate at once; each call has its own activations. Those of
 * the last call, with the indices in them, are kept for the next of as many descriptions.
 */
public final class Hypernetwork implements AutoCloseable {
    private static final float NORM_EPS = 1e-5f;
    /** The activations of a call are kept for the next, unless they are larger. */
    private static final long IDLE_BYTES = 64 << 20;

    private final HyperConfig config;
    private final Backend backend;
    private final Placement placement;
    private final Map<String, Tensor> weights = new HashMap<>();
    private final OutputAffine affine;
    private final AtomicReference<HyperActivations> idle = new AtomicReference<>();
    private final Gate gate = new Gate("the hypernetwork");

    /**
     * @param weights the tensors of {@link HyperParameters}, on the host, any float type; borrowed, and to outlive this
     * @param backend where the network runs; borrowed
     * @throws IllegalArgumentException if a tensor is missing or has another shape
     */
    public Hypernetwork(HyperConfig config, Weights weights, Backend backend) {
        this.config = config;
        this.backend = backend;
        this.placement = backend.placement();
        for (Parameter p : HyperParameters.of(config).all().values()) {
            Tensor tensor = weights.get(p.name());
            if (!p.fits(tensor)) {
                throw new IllegalArgumentException("tensor '" + p.name() + "': wanted " + p.shape() + ", found " + tensor);
            }
            if (p.role() == HyperParameters.Role.TRAINABLE) {
                this.weights.put(p.name(), placement.place(tensor));
            }
        }
        this.affine = OutputAffine.of(config, weights, backend);
    }

    public HyperConfig config() {
        return config;
    }

    /** What one pass over {@code descriptions} allocates beside the adapters, with sizes. */
    public TensorTable activations(int descriptions) {
        return HyperActivations.table(config, HyperRows.of(config, descriptions));
    }

    /**
     * Generates an adapter for each task embedding, in one pass.
     *
     * @param embeddings f32 [n, E] on the backend, as the text encoder gives them: L2-normalised, times sqrt(E)
     * @return n adapters in the order of the rows, each to be closed by the caller
     * @throws IllegalArgumentException if the embeddings have another width than the network was trained with
     * @throws IllegalStateException if this is closed
     */
    public List<GeneratedLora> generate(Tensor embeddings) {
        int width = config.architecture().embedding();
        if (embeddings.dtype() != DType.F32 || embeddings.rank() != 2 || embeddings.rows() < 1 || embeddings.cols() != width) {
            throw new IllegalArgumentException("task embeddings must be F32[n, " + width + "], are " + embeddings
                    + "; HINT: was the encoder " + config.origin().embModel().orElse(config.origin().baseModel()) + "?");
        }
        HyperRows rows = HyperRows.of(config, Math.toIntExact(embeddings.rows()));
        gate.enter();
        try {
            return generate(embeddings, rows);
        } finally {
            gate.leave();
        }
    }

    private List<GeneratedLora> generate(Tensor embeddings, HyperRows rows) {
        List<GeneratedLora> adapters = new ArrayList<>();
        HyperActivations acts = take(rows);
        try {
            for (int i = 0; i < rows.descriptions(); i++) {
                adapters.add(GeneratedLora.allocate(backend, config));
            }
            forward(acts, rows, embeddings, adapters);
            backend.await(); // whoever takes the activations next may have another lane
        } catch (RuntimeException | Error e) {
            adapters.forEach(GeneratedLora::close);
            acts.close();
            throw e;
        }
        close(acts.bytes() > IDLE_BYTES ? acts : idle.getAndSet(acts));
        return List.copyOf(adapters);
    }

    /** Activations with the indices of these rows. */
    private HyperActivations take(HyperRows rows) {
        HyperActivations kept = idle.getAndSet(null);
        if (kept != null && kept.descriptions() == rows.descriptions()) {
            return kept;
        }
        close(kept);
        return HyperActivations.allocate(backend, config, rows);
    }

    private static void close(HyperActivations acts) {
        if (acts != null) {
            acts.close();
        }
    }

    /** Memory for one task embedding at a time, and the work on it; to be closed before this. */
    public HyperPass pass() {
        return new HyperPass(this, backend);
    }

    /** The whole pass, kernels alone, on activations that were made for these rows. */
    void forward(HyperActivations acts, HyperRows rows, Tensor embeddings, List<GeneratedLora> adapters) {
        heads(acts, rows, body(acts, embeddings), adapters);
    }

    /** Everything up to the heads; returns their input [head rows, head_in]. */
    private Tensor body(HyperActivations acts, Tensor embeddings) {
        boolean shared = config.architecture().sharedAbHead();
        boolean byRank = config.architecture().autoregGen();
        boolean positions = byRank && config.architecture().learnablePosEmb();

        acts.once(() -> learned(acts));
        Tensor x = mixer(acts, phi(acts, embeddings));
        x = residual(acts.block("mlp1"), x, "mlp1.mlp");
        if (shared) {
            x = addFactor(acts, x);
        }
        if (shared || !byRank) {
            x = residual(acts.block("mlp2"), x, "mlp2.mlp");
        }
        if (byRank) {
            x = positions ? addPosition(acts, x) : rotate(acts, x);
            if (!(shared && positions)) {
                x = residual(acts.block("rank.mlp2"), x, "mlp2.mlp");
            }
        }
        Block mlp3 = acts.block("mlp3");
        norm(mlp3.norm(), x, "mlp3.0");
        return feedForward(mlp3, mlp3.norm(), "mlp3", null);
    }

    /** What depends on no embedding: depth and type in phi, and the rows of factors and of positions, or their angles. */
    private void learned(HyperActivations acts) {
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
                Embedding.forward(backend, acts.get("pos.rows"), positions(acts), acts.get("rank_of_head_row"), 1);
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

    private Tensor mixer(HyperActivations acts, Tensor phi) {
        return feedForward(acts.block("mixer"), phi, "mixer", null);
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
    private Tensor positions(HyperActivations acts) {
        Tensor p = normedTable(acts, "pos", "pos_emb");
        return config.architecture().sharedAbHead() ? residual(acts.block("pos.mlp2"), p, "mlp2.mlp") : p;
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
    private void heads(HyperActivations acts, HyperRows rows, Tensor z, List<GeneratedLora> adapters) {
        int perModule = rows.perModule();
        List<Head> heads = new ArrayList<>();
        for (int m = 0; m < rows.modules(); m++) {
            Target t = config.targets().get(m);
            String name = "heads." + t.projection().peftName();
            List<Head.Cut> cuts = new ArrayList<>();
            for (int i = 0; i < adapters.size(); i++) {
                GeneratedLora adapter = adapters.get(i);
                cuts.add(new Head.Cut(adapter.a(t.projection()), source(rows, t, i, false),
                        affine.scale('A', t.projection()), affine.shift('A', t.projection())));
                cuts.add(new Head.Cut(adapter.b(t.projection()), source(rows, t, i, true),
                        affine.scale('B', t.projection()), affine.shift('B', t.projection())));
            }
            heads.add(new Head(z.slice((long) m * perModule, (m + 1L) * perModule), weights.get(name + ".weight"), weights.get(name + ".bias"), cuts));
        }
        HyperHead.forward(backend, heads, acts.get("head"));
    }

    /** Where a description's A or B lies in its module's head output [head rows, H]. */
    private LoraFactor source(HyperRows rows, Target t, int description, boolean b) {
        long headOut = config.headOut(t);
        boolean shared = config.architecture().sharedAbHead();
        boolean byRank = config.architecture().autoregGen();
        long start = rows.firstOf(shared && b ? 1 : 0, description) * headOut;
        long ownRank = byRank || shared ? config.rankWidth(t) : b ? t.out() : t.in();
        if (b && !shared) {
            start += byRank ? t.in() : (long) config.lora().rank() * t.in();
        }
        return new LoraFactor(start, headOut * rows.ranks(), ownRank, b);
    }

    /** {@code x + feedForward(LayerNorm(x))}. */
    private Tensor residual(Block block, Tensor x, String name) {
        norm(block.norm(), x, name + ".0");
        return feedForward(block, block.norm(), name, x);
    }

    /** {@code silu(down(silu(up(x))))}, plus {@code residual} unless that is null. */
    private Tensor feedForward(Block block, Tensor x, String name, Tensor residual) {
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

    /** Lets running calls end, then frees what this made on the backend; the weights stay their owner's. */
    @Override
    public void close() {
        gate.close(() -> {
            close(idle.getAndSet(null));
            affine.close();
            placement.close();
        });
    }
}
