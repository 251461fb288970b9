package dev.t2l;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Recording;
import dev.t2l.hyper.GeneratedLora;
import dev.t2l.hyper.HyperPass;
import dev.t2l.hyper.Hypernetwork;
import dev.t2l.model.EncoderPass;
import dev.t2l.model.PooledEncoder;
import dev.t2l.ops.L2Normalise;
import java.util.Arrays;
import java.util.List;

/**
 * Text to adapter for one short description: encoder, pooling, scaling and the hypernetwork's body as one recording, on memory of its own, and
 * then its heads, which write into the adapter's. There is a recording for each of a few lengths, to which descriptions are padded. Not
 * thread-safe.
 */
final class AdapterPipeline implements AutoCloseable {
    /** Tokens of the longest description, special ones included. */
    static final int TOKENS = 128;
    private static final int[] LENGTHS = {16, 32, 48, 64, 96, TOKENS};

    private final Backend backend;
    private final float norm;
    private final EncoderPass encoder;
    private final HyperPass network;
    private final List<Recording> recordings;

    AdapterPipeline(Backend backend, PooledEncoder encoder, Hypernetwork network) {
        this.backend = backend;
        this.norm = (float) Math.sqrt(encoder.width());
        this.encoder = encoder.pass(TOKENS);
        try {
            this.network = network.pass();
        } catch (RuntimeException | Error e) {
            this.encoder.close();
            throw e;
        }
        this.recordings = Arrays.stream(LENGTHS).mapToObj(length -> backend.record(() -> run(length))).toList();
    }

    private void run(int length) {
        encoder.run(network.embeddings(), length);
        L2Normalise.forward(backend, network.embeddings(), norm);
        network.run();
    }

    /**
     * The adapter, awaited.
     *
     * @param ids at most {@link #TOKENS}
     */
    GeneratedLora generate(int[] ids) {
        int shape = 0;
        while (LENGTHS[shape] < ids.length) {
            shape++;
        }
        encoder.set(ids, LENGTHS[shape]);
        recordings.get(shape).run();
        GeneratedLora adapter = network.adapters().getFirst();
        try {
            backend.await();
            return adapter;
        } catch (RuntimeException | Error e) {
            adapter.close();
            throw e;
        }
    }

    @Override
    public void close() {
        recordings.forEach(Recording::close);
        network.close();
        encoder.close();
    }
}
