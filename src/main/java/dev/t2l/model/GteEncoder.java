package dev.t2l.model;

import dev.t2l.backend.AttentionSpec;
import dev.t2l.backend.Backend;
import dev.t2l.backend.EncoderLayer;
import dev.t2l.backend.EncoderRows;
import dev.t2l.ops.Add;
import dev.t2l.ops.Embedding;
import dev.t2l.ops.EncoderLayers;
import dev.t2l.ops.LayerNorm;
import dev.t2l.ops.Rope;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import java.util.List;

/** The gte-v1.5 encoder ("NewModel"; Zhang et al. 2024, mGTE): rotary positions, GeGLU, norms after each block. */
public final class GteEncoder implements Encoder {
    private final Backend backend;
    private final GteConfig config;
    private final GteWeights weights;
    private final AttentionSpec heads;
    private final Runnable release;

    /** @param release ends the memory of the weights; harmless when called twice */
    GteEncoder(Backend backend, GteConfig config, GteWeights weights, Runnable release) {
        this.backend = backend;
        this.config = config;
        this.weights = weights;
        this.heads = new AttentionSpec(config.heads(), config.heads(), config.headDim(), (float) (1 / Math.sqrt(config.headDim())), 0, 0);
        this.release = release;
    }

    public GteConfig config() {
        return config;
    }

    @Override
    public int width() {
        return config.hidden();
    }

    @Override
    public int maxTokens() {
        return Integer.MAX_VALUE;
    }

    @Override
    public EncoderWorkspace workspace(int maxRows, int maxTexts) {
        int h = config.hidden();
        return new EncoderWorkspace(backend, maxRows, maxTexts, new TensorTable()
                .add("x", DType.F32, maxRows, h)
                .add("branch", DType.F32, maxRows, h)
                .add("angles", DType.F32, maxRows, config.headDim())
                .add("query", DType.F32, maxRows, h)
                .add("key", DType.F32, maxRows, h)
                .add("value", DType.F32, maxRows, h)
                .add("context", DType.F32, maxRows, h)
                .add("up", DType.F32, maxRows, config.intermediate())
                .add("gate", DType.F32, maxRows, config.intermediate()));
    }

    @Override
    public void check(TokenBatch batch) {
        batch.check(config.vocabulary(), config.types(), maxTokens());
    }

    @Override
    public Tensor forward(EncoderWorkspace space) {
        EncoderInputs inputs = space.inputs();
        Tensor x = space.rows("x");             // [n, H]
        Tensor branch = space.rows("branch");   // [n, H]
        Tensor angles = space.rows("angles");   // [n, headDim]
        Tensor query = space.rows("query");     // [n, H], as key and value
        Tensor key = space.rows("key");
        Tensor value = space.rows("value");
        Tensor context = space.rows("context"); // [n, H]
        Tensor up = space.rows("up");           // [n, I]
        Tensor gate = space.rows("gate");       // [n, I]

        Embedding.forward(backend, x, weights.words(), inputs.ids(), 1);
        if (weights.types() != null) {
            Embedding.forward(backend, branch, weights.types(), inputs.types(), 1);
            Add.forward(backend, x, branch, 1);
        }
        norm(x, weights.norm());
        Rope.angles(backend, angles, inputs.positions(), weights.frequencies(), 1);

        float eps = config.normEpsilon();
        List<EncoderLayer> layers = weights.layers().stream().map(l -> new EncoderLayer(l.query().product(query), l.key().product(key), l.value().product(value),
                l.output().product(branch), l.attentionNorm().norm(eps), l.gate().product(gate), l.up().product(up), l.down().product(branch), l.mlpNorm().norm(eps))).toList();
        EncoderLayers.forward(backend, x, layers, new EncoderRows(context, angles, inputs.ranges(), heads, config.activation()));
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
