package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.Tensor;
import java.nio.file.Path;

/**
 * A bidirectional text encoder: token ids in, a hidden vector for each token out. Immutable, so calls from several threads may
 * run at once, each with its own workspace.
 */
public sealed interface Encoder extends AutoCloseable permits BertEncoder, GteEncoder {
    /**
     * Loads the encoder of a Hugging Face folder ({@code config.json} and safetensors; {@code model_type} bert or new) or of a
     * GGUF file (architecture bert). The weights stay mapped, in their file's types.
     *
     * @throws dev.t2l.io.FormatException if the files are malformed, or of a kind that is not supported
     */
    static Encoder load(Path folderOrGguf, Backend backend) {
        return EncoderLoader.load(folderOrGguf, backend);
    }

    /** An encoder of weights that are made, not read. It owns what is placed of them. */
    static Encoder of(BertConfig config, TensorSource source, Backend backend) {
        return Placed.model(backend, () -> { }, (placement, release) ->
                new BertEncoder(backend, config, BertWeights.of(ModelTensors.made(source, placement), config), release));
    }

    /** An encoder of weights that are made, not read. It owns what is placed of them. */
    static Encoder of(GteConfig config, TensorSource source, Backend backend) {
        return Placed.model(backend, () -> { }, (placement, release) ->
                new GteEncoder(backend, config, GteWeights.of(ModelTensors.made(source, placement), config), release));
    }

    /** Whether the {@code config.json} of a folder says that it holds an encoder of a kind that {@link #load} knows. */
    static boolean isEncoder(Path folder) {
        return EncoderLoader.isEncoder(folder);
    }

    /** Length of a hidden vector, E. */
    int width();

    /** The most tokens a text may have; {@code Integer.MAX_VALUE} where positions are rotary. */
    int maxTokens();

    /** Memory for batches of up to so many tokens and texts; the caller closes it. */
    EncoderWorkspace workspace(int maxRows, int maxTexts);

    /**
     * The hidden vectors of all tokens after the last layer.
     *
     * @return f32 [batch.rows(), width()], in the workspace: valid until its next use
     * @throws IllegalArgumentException if the batch does not fit the encoder or the workspace
     */
    default Tensor forward(TokenBatch batch, EncoderWorkspace workspace) {
        check(batch);
        workspace.load(batch);
        return forward(workspace);
    }

    /** @throws IllegalArgumentException if a text is too long, or an id or type is none of the encoder's */
    void check(TokenBatch batch);

    /** As {@link #forward(TokenBatch, EncoderWorkspace)}, of the batch that the workspace holds; nothing but kernels is called. */
    Tensor forward(EncoderWorkspace workspace);

    /** Ends the memory of the weights; a second call is harmless. */
    @Override
    void close();
}
