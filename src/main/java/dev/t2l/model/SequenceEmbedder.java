package dev.t2l.model;

import dev.t2l.tensor.Tensor;

/** Token ids in, one vector a text out, not normalised. Thread-safe. */
public sealed interface SequenceEmbedder extends AutoCloseable permits PooledEncoder, LastTokenEmbedder {
    /** Length of a vector, E. */
    int width();

    /** The most tokens a text may have. */
    int maxTokens();

    /**
     * @param ids a text at a time, special tokens included, none empty
     * @param out f32 [ids.length, width()], on the backend
     * @throws IllegalArgumentException if a text does not fit the model
     */
    void embed(int[][] ids, Tensor out);

    /** Ends the memory; the caller sees to it that no call is running. A second call is harmless. */
    @Override
    void close();
}
