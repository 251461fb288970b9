package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.Tensor;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReference;

/** An encoder with its pooling. Texts run in batches of bounded size; the workspace of one call is kept for the next. */
public final class PooledEncoder implements SequenceEmbedder {
    /** Tokens of a batch, unless a single text is longer. */
    private static final int BATCH_TOKENS = 2048;
    private static final int BATCH_TEXTS = 256;

    private final Backend backend;
    private final Encoder encoder;
    private final Pooling pooling;
    private final AtomicReference<EncoderWorkspace> idle = new AtomicReference<>();

    /** Takes the encoder over: closing this closes it. */
    public PooledEncoder(Backend backend, Encoder encoder, Pooling pooling) {
        this.backend = backend;
        this.encoder = encoder;
        this.pooling = pooling;
    }

    public Encoder encoder() {
        return encoder;
    }

    public Pooling pooling() {
        return pooling;
    }

    @Override
    public int width() {
        return encoder.width();
    }

    @Override
    public int maxTokens() {
        return encoder.maxTokens();
    }

    /** Memory for one text of up to so many tokens at a time, and the work on it; to be closed before this. */
    public EncoderPass pass(int maxTokens) {
        return new EncoderPass(backend, encoder, pooling, maxTokens);
    }

    @Override
    public void embed(int[][] ids, Tensor out) {
        EncoderWorkspace space = idle.getAndSet(null);
        try {
            int from = 0;
            while (from < ids.length) {
                int to = from + 1;
                int tokens = ids[from].length;
                while (to < ids.length && to - from < BATCH_TEXTS && tokens + ids[to].length <= BATCH_TOKENS) {
                    tokens += ids[to++].length;
                }
                TokenBatch batch = TokenBatch.of(Arrays.copyOfRange(ids, from, to));
                space = roomFor(batch, space);
                pooling.forward(backend, out.slice(from, to), encoder.forward(batch, space), space);
                from = to;
            }
            backend.await(); // whoever takes the workspace next may have another lane
        } catch (RuntimeException | Error e) {
            close(space);
            throw e;
        }
        putBack(space);
    }

    private EncoderWorkspace roomFor(TokenBatch batch, EncoderWorkspace space) {
        if (space != null && space.fits(batch.rows(), batch.texts())) {
            return space;
        }
        close(space);
        return encoder.workspace(Math.max(256, batch.rows()), Math.max(16, batch.texts()));
    }

    /** Keeps the workspace, unless one very long text made it huge. */
    private void putBack(EncoderWorkspace space) {
        close(space == null || space.fits(BATCH_TOKENS + 1, 1) ? space : idle.getAndSet(space));
    }

    private static void close(EncoderWorkspace space) {
        if (space != null) {
            space.close();
        }
    }

    @Override
    public void close() {
        close(idle.getAndSet(null));
        encoder.close();
    }
}
