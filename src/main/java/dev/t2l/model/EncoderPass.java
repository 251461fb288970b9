package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;

/**
 * An encoder's pass over one short text at a time, on memory of its own: work to record. Not thread-safe.
 *
 * <p>The text is padded to a number of rows, of which there should be few. A padding row attends to the first token alone, and no row to
 * it, so the vector has the bits of the exact pass.
 */
public final class EncoderPass implements AutoCloseable {
    private final Backend backend;
    private final Encoder encoder;
    private final Pooling pooling;
    private final EncoderWorkspace space;
    private final Memory pinned;
    private final Tensor inputs;

    /** @param maxRows tokens of the longest text, padding included */
    EncoderPass(Backend backend, Encoder encoder, Pooling pooling, int maxRows) {
        this.backend = backend;
        this.encoder = encoder;
        this.pooling = pooling;
        this.space = encoder.workspace(maxRows, 1);
        long size = EncoderInputs.size(maxRows, 1);
        try {
            this.pinned = backend.pinned(DType.I32.bytes(size));
        } catch (RuntimeException | Error e) {
            space.close();
            throw e;
        }
        this.inputs = Tensor.of(DType.I32, pinned.segment(), size);
    }

    /**
     * The text of the next {@link #run}; the one before must have been awaited.
     *
     * @param ids  special tokens included
     * @param rows at least as many
     * @throws IllegalArgumentException if the text does not fit the encoder
     */
    public void set(int[] ids, int rows) {
        TokenBatch batch = TokenBatch.of(ids).padded(rows);
        encoder.check(batch);
        host(rows).fill(batch);
    }

    /**
     * Encodes the text.
     *
     * @param out  f32 [1, E]
     * @param rows as the text was padded to
     */
    public void run(Tensor out, int rows) {
        space.load(host(rows));
        pooling.forward(backend, out, encoder.forward(space), space);
    }

    private EncoderInputs host(int rows) {
        return new EncoderInputs(inputs, rows, 1);
    }

    @Override
    public void close() {
        space.close();
        pinned.close();
    }
}
