package dev.t2l.train;

import dev.t2l.backend.AttentionSpec;
import dev.t2l.backend.Backend;
import dev.t2l.backend.Gradients;
import dev.t2l.backend.LoraSpans;
import dev.t2l.backend.Mixed;
import dev.t2l.backend.Norm;
import dev.t2l.backend.Product;
import dev.t2l.model.Affine;
import dev.t2l.model.DecoderConfig;
import dev.t2l.model.DecoderWeights;
import dev.t2l.ops.Activate;
import dev.t2l.ops.Add;
import dev.t2l.ops.AddNoise;
import dev.t2l.ops.Attention;
import dev.t2l.ops.Convert;
import dev.t2l.ops.CrossEntropy;
import dev.t2l.ops.Embedding;
import dev.t2l.ops.Fill;
import dev.t2l.ops.Linear;
import dev.t2l.ops.LoraLinear;
import dev.t2l.ops.Products;
import dev.t2l.ops.RmsNorm;
import dev.t2l.ops.Rope;
import dev.t2l.ops.Scatter;
import dev.t2l.ops.Softcap;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.train.FrozenActivations.Kept;
import java.util.Arrays;

/**
 * One batch's way through a frozen decoder: {@link #forward} reads as {@link dev.t2l.model.Decoder#forward}, {@link #loss} turns around,
 * {@link #backward} reads as the forward upwards. Only adapters have gradients; what the backward needs and cannot cheaply compute again is
 * computed straight into where it is kept. Activations have the type in which they are kept, the residual stream and its gradient are f32.
 *
 * <p>Shapes: n rows, m of them predict; H hidden, I intermediate, V vocabulary.
 */
final class FrozenPass {
    /** A projection's result, [n, out]. */
    private record Out(Projection projection, Tensor y) {
    }

    private final Backend backend;
    private final Mixed kernels;
    private final DecoderConfig config;
    private final DecoderWeights weights;
    private final FrozenActivations space;
    private final TrainingBatch batch;
    private final SampleAdapters adapters; // null for none
    private final SampleAdapters.Assignment assignment;
    private final Regularisation noise;

    FrozenPass(Backend backend, DecoderConfig config, DecoderWeights weights, FrozenActivations space, TrainingBatch batch, SampleAdapters adapters,
            Regularisation noise) {
        this.backend = backend;
        this.kernels = backend.mixed();
        this.config = config;
        this.weights = weights;
        this.space = space;
        this.batch = batch;
        this.adapters = adapters;
        this.noise = noise;
        space.rows(batch.rows());
        upload();
        assignment = adapters == null ? null : assign();
    }

    private void upload() {
        TrainingBatch.Rows rows = batch.inputs();
        send("ids", rows.ids());
        send("positions", rows.positions());
        send("negatedPositions", rows.negatedPositions());
        send("ranges", rows.ranges());
        send("seen", rows.seen());
        send("slots", rows.adapters());
        send("index", batch.predictions().index());
        send("labels", batch.predictions().labels());
        send("weights", batch.predictions().weights());
        Fill.forward(backend, space.get("ones"), 1);
    }

    private void send(String name, Tensor host) {
        backend.upload(space.whole(name).prefix(host.shape()), host.data());
    }

    private SampleAdapters.Assignment assign() {
        int count = adapters.count();
        int[] spans = new int[2 * count];
        int longest = 0;
        for (int k = 0; k < count; k++) {
            spans[2 * k] = batch.from(k);
            spans[2 * k + 1] = batch.to(k);
            longest = Math.max(longest, spans[2 * k + 1] - spans[2 * k]);
        }
        send("spans", Tensor.ofInts(spans, count, 2));
        return new SampleAdapters.Assignment(space.get("slots"), space.get("ones"), space.whole("spans").prefix(count, 2), longest);
    }

    // Forward

    void forward() {
        Tensor h = space.get("h");
        Embedding.forward(backend, space.stream(0), weights.embedding(), space.get("ids"), config.embedScale());     // (n, H)
        addNoise(space.stream(0));
        Rope.angles(backend, space.get("angles"), space.get("positions"), weights.invFreq(), config.rope().factor()); // (n, headDim)
        for (int l = 0; l < config.layers(); l++) {
            DecoderWeights.Layer w = weights.layers().get(l);
            Tensor x = space.stream(l);                                                                               // (n, H)
            normed(h, space.copy(l, Kept.INPUT), x, w.attentionNorm());
            boolean headNorms = w.queryNorm() != null;
            Tensor q = space.kept(l, Kept.Q);                                                                         // (n, heads * headDim)
            Tensor k = space.kept(l, Kept.K);                                                                         // (n, kvHeads * headDim)
            Tensor v = space.kept(l, Kept.V);
            Tensor rawQ = headNorms ? space.kept(l, Kept.RAW_Q) : q;
            Tensor rawK = headNorms ? space.kept(l, Kept.RAW_K) : k;
            project(l, h, new Out(Projection.Q, rawQ), new Out(Projection.K, rawK), new Out(Projection.V, v));
            if (headNorms) {
                normed(heads(q), null, heads(rawQ), w.queryNorm());
                normed(heads(k), null, heads(rawK), w.keyNorm());
            }
            Rope.forward(kernels, q, space.get("angles"), config.rope().interleaved());
            Rope.forward(kernels, k, space.get("angles"), config.rope().interleaved());
            Tensor attended = space.kept(l, Kept.ATTENDED);
            Attention.forward(kernels, attended, space.logSums(l), q, k, v, space.get("ranges"), attention(l));
            Tensor mid = space.streamWithin(l);
            carry(mid, x);
            addBranch(l, mid, attended, Projection.O, w.attentionPostNorm());

            normed(h, space.copy(l, Kept.MID), mid, w.mlpNorm());
            Tensor gate = space.kept(l, Kept.GATE);                                                                   // (n, I)
            Tensor up = space.kept(l, Kept.UP);
            project(l, h, new Out(Projection.GATE, gate), new Out(Projection.UP, up));
            Activate.gated(kernels, space.get("act"), gate, up, config.activation());
            Tensor next = space.stream(l + 1);
            carry(next, mid);
            addBranch(l, next, space.get("act"), Projection.DOWN, w.mlpPostNorm());
        }
    }

    /** Of magnitude alpha / sqrt(L H) on embeddings as they are looked up, before their scale. */
    private void addNoise(Tensor x) {
        if (noise.neftune() > 0) {
            double magnitude = noise.neftune() / Math.sqrt((double) batch.paddedLength() * config.hidden()) * config.embedScale();
            Fill.forward(backend, space.get("magnitude"), (float) magnitude);
            AddNoise.forward(backend, x, space.get("magnitude"), noise.noiseSeed());
        }
    }

    /** The residual stream goes on in other memory, if all of it is kept as it is. */
    private void carry(Tensor to, Tensor from) {
        if (!space.streamsInPlace()) {
            backend.copy(to, from);
        }
    }

    /** {@code x += product of in}, the product normed first if this architecture has a norm there. */
    private void addBranch(int l, Tensor x, Tensor in, Projection projection, Tensor postNorm) {
        Tensor y = space.get("dx"); // no gradient yet
        if (postNorm == null) {
            Products.add(kernels, x, in, product(l, new Out(projection, y)));
            addAdapters(l, in, new Out(projection, x));
            return;
        }
        Tensor branch = space.kept(l, projection == Projection.O ? Kept.ATTENTION_BRANCH : Kept.MLP_BRANCH);
        project(l, in, new Out(projection, branch));
        normed(y, null, branch, postNorm);
        Add.forward(backend, x, y, 1);
    }

    /** Adapted products of one input. */
    private void project(int l, Tensor in, Out... outs) {
        Products.forward(kernels, in, Arrays.stream(outs).map(out -> product(l, out)).toList());
        for (Out out : outs) {
            addAdapters(l, in, out);
        }
    }

    private Product product(int l, Out out) {
        Affine dense = weights.layers().get(l).at(out.projection());
        return new Product(out.y(), dense.weight(), dense.bias(), null);
    }

    private void addAdapters(int l, Tensor in, Out out) {
        if (acts(l, out.projection())) {
            LoraLinear.add(kernels, out.y(), in, spans(l, out.projection()));
        }
    }

    private LoraSpans spans(int l, Projection projection) {
        return adapters.spans(l, projection, assignment, noise);
    }

    private AttentionSpec attention(int l) {
        return config.attention().at(l).of(weights.layers().get(l).at(Projection.K).weight().dtype());
    }

    private boolean acts(int l, Projection projection) {
        return adapters != null && adapters.act(l, projection);
    }

    private void normed(Tensor out, Tensor copy, Tensor x, Tensor weight) {
        RmsNorm.forward(kernels, out, copy, x, norm(weight));
    }

    private Norm norm(Tensor weight) {
        return new Norm(weight, config.norm().eps(), config.norm().weightOffset());
    }

    /** [n, heads * headDim] as [n * heads, headDim]. */
    private Tensor heads(Tensor x) {
        int headDim = config.attention().spec().headDim();
        return x.reshape(x.elements() / headDim, headDim);
    }

    // Turning around

    /**
     * The predicting rows' losses, a chunk of rows after the other, so that the logits are never whole; f32 [m].
     *
     * @param backward the gradient of the residual stream is wanted
     */
    Tensor loss(boolean backward) {
        Tensor x = space.stream(config.layers());
        Tensor dx = space.get("dx");
        if (backward) {
            Fill.forward(backend, dx, 0);
        }
        long chunk = space.whole("chunk.x").rows();
        for (long from = 0; from < batch.predicted(); from += chunk) {
            long to = Math.min(batch.predicted(), from + chunk);
            Tensor index = space.whole("index").slice(from, to);
            Tensor rows = space.whole("chunk.x").slice(0, to - from);
            Tensor hidden = space.whole("chunk.hidden").slice(0, to - from);
            Tensor logits = space.whole("chunk.logits").slice(0, to - from);
            Embedding.forward(backend, rows, x, index, 1);
            normed(hidden, null, rows, weights.finalNorm());
            Linear.forward(backend, logits, hidden, weights.output(), null);                                          // (chunk, V)
            if (config.logitSoftcap() != 0) {
                Softcap.forward(backend, logits, config.logitSoftcap());
                Convert.forward(backend, space.whole("chunk.capped").slice(0, to - from), logits);
            }
            CrossEntropy.lossAndGradient(backend, space.whole("loss").slice(from, to), logits, space.whole("labels").slice(from, to),
                    space.whole("weights").slice(from, to), noise.smoothing());
            if (backward) {
                Tensor drows = space.whole("chunk.dx").slice(0, to - from);
                if (config.logitSoftcap() != 0) {
                    Softcap.backward(backend, logits, space.whole("chunk.capped").slice(0, to - from), config.logitSoftcap());
                }
                Linear.backward(backend, hidden, logits, weights.output(), false);
                RmsNorm.backward(backend, drows, hidden, rows, norm(weights.finalNorm()), false);
                Scatter.forward(backend, dx, drows, index);
            }
        }
        return space.whole("loss").slice(0, batch.predicted());
    }

    // Backward

    /** From the residual stream's gradient down to the lowest adapters, whose gradients are added to. */
    void backward() {
        var seeing = new Gradients.AttentionRows(space.get("ranges"), space.get("seen"));
        Tensor back = space.get("back");
        Rope.angles(backend, back, space.get("negatedPositions"), weights.invFreq(), config.rope().factor());
        if (space.gradientCopy() != null) {
            Convert.forward(backend, space.gradientCopy(), space.get("dx"));
        }
        int lowest = adapters.lowestLayer();
        for (int l = config.layers() - 1; l >= lowest; l--) {
            DecoderWeights.Layer w = weights.layers().get(l);
            mlpBackward(l, w);

            Tensor dattended = space.get("dattended");
            Tensor attended = space.kept(l, Kept.ATTENDED);
            branchBackward(l, dattended, Kept.ATTENTION_BRANCH, w.attentionPostNorm(), Projection.O, attended);
            Tensor q = space.kept(l, Kept.Q);
            Tensor k = space.kept(l, Kept.K);
            Tensor dq = space.get("dq");
            Tensor dk = space.get("dk");
            Tensor dv = space.get("dv");
            Attention.backward(kernels, dq, dk, dv, dattended, attended, space.logSums(l), q, k, space.kept(l, Kept.V), seeing, attention(l));
            Rope.backward(kernels, dq, back, config.rope().interleaved());
            Rope.backward(kernels, dk, back, config.rope().interleaved());
            if (w.queryNorm() != null) {
                RmsNorm.backward(kernels, heads(q), null, heads(dq), heads(space.kept(l, Kept.RAW_Q)), norm(w.queryNorm()), false);
                RmsNorm.backward(kernels, heads(k), null, heads(dk), heads(space.kept(l, Kept.RAW_K)), norm(w.keyNorm()), false);
                dq = q;
                dk = k;
            }
            projectBackward(l, Kept.INPUT, w.attentionNorm(), l > lowest, new Out(Projection.Q, dq), new Out(Projection.K, dk), new Out(Projection.V, dv));
        }
    }

    /** {@code dx += } what comes through the gated MLP. */
    private void mlpBackward(int l, DecoderWeights.Layer w) {
        Tensor gate = space.kept(l, Kept.GATE);
        Tensor up = space.kept(l, Kept.UP);
        Tensor in = null;
        if (acts(l, Projection.DOWN)) {
            in = space.get("downIn");
            Activate.gated(kernels, in, gate, up, config.activation());
        }
        Tensor dact = space.get("act");
        branchBackward(l, dact, Kept.MLP_BRANCH, w.mlpPostNorm(), Projection.DOWN, in);
        Activate.gatedBackward(kernels, gate, up, dact, gate, up, config.activation());
        projectBackward(l, Kept.MID, w.mlpNorm(), true, new Out(Projection.GATE, gate), new Out(Projection.UP, up));
    }

    /** Of {@link #addBranch}: din of dx, which itself stays, for the stream passes by. */
    private void branchBackward(int l, Tensor din, Kept branch, Tensor postNorm, Projection projection, Tensor in) {
        Tensor dy = space.gradientCopy() != null ? space.gradientCopy() : space.get("dx");
        if (postNorm != null) {
            dy = space.get("h");
            RmsNorm.backward(kernels, dy, null, space.get("dx"), space.kept(l, branch), norm(postNorm), false);
        }
        Linear.backward(kernels, din, dy, weights.layers().get(l).at(projection).weight(), false);
        if (acts(l, projection)) {
            LoraLinear.backward(kernels, din, dy, in, spans(l, projection));
        }
    }

    /**
     * Of products of the normed stream: {@code dx += } what comes through them and the norm.
     *
     * @param below something below wants dx
     */
    private void projectBackward(int l, Kept stream, Tensor normWeight, boolean below, Out... gradients) {
        Tensor dh = space.get("dh");
        for (int i = 0; below && i < gradients.length; i++) {
            Linear.backward(kernels, dh, gradients[i].y(), weights.layers().get(l).at(gradients[i].projection()).weight(), i > 0);
        }
        Tensor x = space.kept(l, stream);
        Tensor h = null;
        for (Out dy : gradients) {
            if (acts(l, dy.projection())) {
                if (h == null) {
                    h = space.get("h");
                    normed(h, null, x, normWeight);
                }
                LoraLinear.backward(kernels, below ? dh : null, dy.y(), h, spans(l, dy.projection()));
            }
        }
        if (below) {
            RmsNorm.backward(kernels, space.get("dx"), space.gradientCopy(), dh, x, norm(normWeight), true);
        }
    }
}
