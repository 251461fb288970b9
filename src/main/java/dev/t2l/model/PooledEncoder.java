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

    @Override
    public void embed(int[][] ids, Tensor out) {
        int from = 0;
        while (from < ids.length) {
            int to = from + 1;
            int tokens = ids[from].length;
            while (to < ids.length && to - from < BATCH_TEXTS && tokens + ids[to].length <= BATCH_TOKENS) {
                tokens += ids[to++].length;
            }
            embed(TokenBatch.of(Arrays.copyOfRange(ids, from, to)), out.slice(from, to));
            from = to;
        }
    }

    private void embed(TokenBatch batch, Tensor out) {
        EncoderWorkspace space = take(batch);
        try {
            pooling.forward(backend, out, encoder.forward(batch, space), batch, space);
        } finally {
            putBack(space);
        }
    }

    private EncoderWorkspace take(TokenBatch batch) {
        EncoderWorkspace kept = idle.getAndSet(null);
        if (kept != null && kept.fits(batch.rows(), batch.texts())) {
            return kept;
        }
        if (kept != null) {
            kept.close();
        }
        return encoder.workspace(Math.max(256, batch.rows()), Math.max(16, batch.texts()));
    }

    /** Keeps the workspace, unless one very long text made it huge. */
    private void putBack(EncoderWorkspace space) {
        EncoderWorkspace other = space.fits(BATCH_TOKENS + 1, 1) ? space : idle.getAndSet(space);
        if (other != null) {
            other.close();
        }
    }

    @Override
    public void close() {
        EncoderWorkspace kept = idle.getAndSet(null);
        if (kept != null) {
            kept.close();
        }
        encoder.close();
    }
}
