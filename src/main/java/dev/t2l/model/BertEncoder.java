package dev.t2l.model;

import dev.t2l.backend.AttentionSpec;
import dev.t2l.backend.Backend;
import dev.t2l.backend.EncoderLayer;
import dev.t2l.backend.EncoderRows;
import dev.t2l.ops.Add;
import dev.t2l.ops.Embedding;
import dev.t2l.ops.EncoderLayers;
import dev.t2l.ops.LayerNorm;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import java.util.List;

/** BERT (Devlin et al. 2019): absolute positions, norms after each block, erf-GELU. The tanh pooler of the paper is not used. */
public final class BertEncoder implements Encoder {
    private final Backend backend;
    private final BertConfig config;
    private final BertWeights weights;
    private final AttentionSpec heads;
    private final Runnable release;

    /** @param release ends the memory of the weights; harmless when called twice */
    BertEncoder(Backend backend, BertConfig config, BertWeights weights, Runnable release) {
        this.backend = backend;
        this.config = config;
        this.weights = weights;
        this.heads = new AttentionSpec(config.heads(), config.heads(), config.headDim(), (float) (1 / Math.sqrt(config.headDim())), 0, 0);
        this.release = release;
    }

    public BertConfig config() {
        return config;
    }

    @Override
    public int width() {
        return config.hidden();
    }

    @Override
    public int maxTokens() {
        return config.positions();
    }

    @Override
    public EncoderWorkspace workspace(int maxRows, int maxTexts) {
        int h = config.hidden();
        return new EncoderWorkspace(backend, maxRows, maxTexts, new TensorTable()
                .add("x", DType.F32, maxRows, h)
                .add("branch", DType.F32, maxRows, h)
                .add("query", DType.F32, maxRows, h)
                .add("key", DType.F32, maxRows, h)
                .add("value", DType.F32, maxRows, h)
                .add("context", DType.F32, maxRows, h)
                .add("intermediate", DType.F32, maxRows, config.intermediate()));
    }

    @Override
    public void check(TokenBatch batch) {
        batch.check(config.vocabulary(), config.types(), config.positions());
    }

    @Override
    public Tensor forward(EncoderWorkspace space) {
        EncoderInputs inputs = space.inputs();
        Tensor x = space.rows("x");                       // [n, H]
        Tensor branch = space.rows("branch");             // [n, H]
        Tensor query = space.rows("query");               // [n, H], as key and value
        Tensor key = space.rows("key");
        Tensor value = space.rows("value");
        Tensor context = space.rows("context");           // [n, H]
        Tensor intermediate = space.rows("intermediate"); // [n, I]

        Embedding.forward(backend, x, weights.words(), inputs.ids(), 1);
        Embedding.forward(backend, branch, weights.types(), inputs.types(), 1);
        Add.forward(backend, x, branch, 1);
        Embedding.forward(backend, branch, weights.positions(), inputs.positions(), 1);
        Add.forward(backend, x, branch, 1);
        norm(x, weights.norm());

        float eps = config.normEpsilon();
        List<EncoderLayer> layers = weights.layers().stream().map(l -> new EncoderLayer(l.query().product(query), l.key().product(key), l.value().product(value),
                l.attentionOutput().product(branch), l.attentionNorm().norm(eps), null, l.intermediate().product(intermediate), l.output().product(branch),
                l.outputNorm().norm(eps))).toList();
        EncoderLayers.forward(backend, x, layers, new EncoderRows(context, null, inputs.ranges(), heads, config.activation()));
        return x;
    }

    private void norm(Tensor x, Affine parameters) {
        LayerNorm.forward(backend, x, x, parameters.weight(), parameters.bias(), config.normEpsilon());
    }

    @Override
    public void close() {
        release.run();
    }
}
