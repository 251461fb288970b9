package dev.t2l.model;

import dev.t2l.backend.AttentionSpec;
import dev.t2l.backend.Backend;
import dev.t2l.backend.Product;
import dev.t2l.ops.Add;
import dev.t2l.ops.Attention;
import dev.t2l.ops.Embedding;
import dev.t2l.ops.Linear;
import dev.t2l.ops.LoraBatch;
import dev.t2l.ops.LoraLinear;
import dev.t2l.ops.Products;
import dev.t2l.ops.RmsNorm;
import dev.t2l.ops.Rope;
import dev.t2l.ops.Sample;
import dev.t2l.ops.Softcap;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;

/**
 * A decoder-only transformer: Llama, Mistral, Gemma-2, Qwen2, Qwen3. Pre-norm, rotary positions, grouped-query attention,
 * gated MLP; the differences lie in {@link DecoderConfig} and in which norms {@link DecoderWeights} has.
 *
 * <p>Shapes: n rows (tokens of any sequences), H hidden, I intermediate, V vocabulary. Thread-safe: all state of a pass lies in its
 * {@link Workspace} and {@link KvCache}.
 */
public final class Decoder {
    private final Backend home;
    private final Backend backend; // a view of home
    private final DecoderConfig config;
    private final DecoderWeights weights;
    private final AttentionSpec[] attention;

    /** Takes weights that the backend can use (see {@link dev.t2l.backend.Placement}). Nothing is rounded but what the kernels' sums round. */
    public Decoder(Backend backend, DecoderConfig config, DecoderWeights weights) {
        this(backend, backend, config, weights);
    }

    private Decoder(Backend home, Backend view, DecoderConfig config, DecoderWeights weights) {
        this.home = home;
        this.backend = view;
        this.config = config;
        this.weights = weights;
        attention = new AttentionSpec[config.layers()];
        for (int l = 0; l < config.layers(); l++) {
            attention[l] = config.attention().at(l).of(weights.layers().get(l).at(Projection.K).weight().dtype());
        }
    }

    /**
     * Runs the pass that {@code space} holds: stores keys and values of its rows in {@code cache}, and leaves the wanted rows'
     * hidden states, after the final norm, in {@link Workspace#hidden}.
     *
     * @param lora each row's adapters, or null
     */
    public void forward(Workspace space, KvCache cache, LoraBatch lora) {
        Workspace.Rows r = space.begin();
        DecoderPass pass = space.pass(weights, lora);
        float eps = config.norm().eps();
        float offset = config.norm().weightOffset();

        Embedding.forward(backend, r.x(), weights.embedding(), r.ids(), config.embedScale());               // x (n, H)
        Rope.angles(backend, r.angles(), r.positions(), weights.invFreq(), config.rope().factor());         // (n, headDim)
        for (int l = 0; l < config.layers(); l++) {
            DecoderWeights.Layer w = weights.layers().get(l);
            DecoderPass.Layer p = pass.layer(l);

            Products.normed(backend, r.h(), r.x(), p.attentionNorm(), p.attention());                       // q (n, heads * headDim), k, v (n, kvHeads * headDim)
            if (w.queryNorm() != null) {
                RmsNorm.forward(backend, r.qHeads(), r.qHeads(), w.queryNorm(), eps, offset);
                RmsNorm.forward(backend, r.kHeads(), r.kHeads(), w.keyNorm(), eps, offset);
            }
            Rope.store(backend, r.q(), r.k(), r.v(), r.angles(), config.rope().interleaved(), cache.keys(l), cache.values(l), r.cacheRows());
            Attention.forward(backend, r.attended(), r.q(), cache.keys(l), cache.values(l), r.ranges(), attention[l]);
            addBranch(r, r.attended(), p.output(), w.attentionPostNorm());

            if (w.mlpPostNorm() == null) {
                Products.mlp(backend, r.h(), r.x(), p.mlpNorm(), p.gate(), p.up(), p.down(), config.activation());  // gate, up (n, I)
            } else {
                Products.gated(backend, r.h(), r.x(), p.mlpNorm(), p.gate(), p.up(), config.activation());
                addBranch(r, r.gate(), p.down(), w.mlpPostNorm());
            }
        }
        Workspace.Wanted wanted = space.wanted();
        if (wanted.index().elements() > 0) {
            Embedding.forward(backend, wanted.hidden(), r.x(), wanted.index(), 1);                          // (m, H)
            RmsNorm.forward(backend, wanted.hidden(), wanted.hidden(), weights.finalNorm(), eps, offset);
        }
    }

    /** After {@link #forward}: the wanted rows' logits, in {@link Workspace#logits}. */
    public void logits(Workspace space) {
        Workspace.Wanted wanted = space.wanted();
        Linear.forward(backend, wanted.logits(), wanted.hidden(), weights.output(), null);                  // (m, V)
        if (config.logitSoftcap() != 0) {
            Softcap.forward(backend, wanted.logits(), config.logitSoftcap());
        }
    }

    /** After {@link #logits}: chooses the wanted rows' next tokens, which are there for the host once the pass is done. */
    void sample(Workspace space) {
        Workspace.Wanted wanted = space.wanted();
        Sample.forward(backend, wanted.tokens(), wanted.logits(), wanted.choices());
    }

    /** {@code x += product of in}, normed first if this architecture has a norm there. */
    private void addBranch(Workspace.Rows r, Tensor in, Product product, Tensor postNorm) {
        if (postNorm == null) {
            Products.add(backend, r.x(), in, product);
            return;
        }
        LoraLinear.forward(backend, r.h(), in, product.w(), product.bias(), product.lora());
        RmsNorm.forward(backend, r.h(), r.h(), postNorm, config.norm().eps(), config.norm().weightOffset());
        Add.forward(backend, r.x(), r.h(), 1);
    }

    /** This decoder with the backend's products for many rows (see {@link Backend#prefilling()}). */
    public Decoder prefilling() {
        return on(home.prefilling());
    }

    /** This decoder with the backend's products for few rows (see {@link Backend#decoding()}). */
    public Decoder decoding() {
        return on(home.decoding());
    }

    private Decoder on(Backend view) {
        return view == backend ? this : new Decoder(home, view, config, weights);
    }

    public Backend backend() {
        return home;
    }

    public DecoderConfig config() {
        return config;
    }

    public DecoderWeights weights() {
        return weights;
    }

    /** Head size if this model stores a projection's output rows interleaved within each head, else 0 (see {@link LoraBatch}). */
    public int interleavedHeadDim(Projection projection) {
        boolean rotated = projection == Projection.Q || projection == Projection.K;
        return rotated && config.rope().interleaved() ? config.attention().spec().headDim() : 0;
    }

    /**
     * Does an adapter fit?
     *
     * @throws IllegalArgumentException naming the first layer, projection or shape that does not
     */
    public void requireFits(LoraWeights adapter) {
        config.requireFits(adapter);
    }
}
