package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.ops.Embedding;
import dev.t2l.ops.MeanPool;
import dev.t2l.tensor.Tensor;

/** How the hidden vectors of a text's tokens become one. */
public enum Pooling {
    /** The first token's: [CLS]. */
    CLS,
    /** The mean over all tokens, special ones included. */
    MEAN,
    /** The last token's. */
    LAST_TOKEN;

    /**
     * One vector a text.
     *
     * @param out    f32 [texts, E]
     * @param hidden f32 [rows, E], of the batch that the workspace holds
     */
    void forward(Backend backend, Tensor out, Tensor hidden, EncoderWorkspace space) {
        switch (this) {
            case CLS -> Embedding.forward(backend, out, hidden, space.inputs().firsts(), 1);
            case MEAN -> MeanPool.forward(backend, out, hidden, space.inputs().spans());
            case LAST_TOKEN -> Embedding.forward(backend, out, hidden, space.inputs().lasts(), 1);
        }
    }
}
