package dev.t2l;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Lane;
import dev.t2l.hyper.GeneratedLora;
import dev.t2l.hyper.Hypernetwork;
import dev.t2l.model.PooledEncoder;
import java.util.Deque;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.Semaphore;

/** The pipelines of a hypernetwork and its encoder: as many as were ever needed at once, up to {@value #MOST}; more callers wait. Thread-safe. */
final class AdapterPipelines implements AutoCloseable {
    private static final int MOST = 8;

    private final Backend backend;
    private final PooledEncoder encoder;
    private final Hypernetwork network;
    private final Semaphore free = new Semaphore(MOST);
    private final Deque<AdapterPipeline> idle = new ConcurrentLinkedDeque<>();

    AdapterPipelines(Backend backend, PooledEncoder encoder, Hypernetwork network) {
        this.backend = backend;
        this.encoder = encoder;
        this.network = network;
    }

    /** The adapter of a description of at most {@link AdapterPipeline#TOKENS} tokens, awaited. */
    GeneratedLora generate(int[] ids) {
        free.acquireUninterruptibly();
        try (Lane _ = backend.lane()) {
            AdapterPipeline kept = idle.poll();
            AdapterPipeline pipeline = kept == null ? new AdapterPipeline(backend, encoder, network) : kept;
            GeneratedLora adapter;
            try {
                adapter = pipeline.generate(ids);
            } catch (RuntimeException | Error e) {
                pipeline.close();
                throw e;
            }
            idle.push(pipeline);
            return adapter;
        } finally {
            free.release();
        }
    }

    /** No call may be running. */
    @Override
    public void close() {
        for (AdapterPipeline pipeline = idle.poll(); pipeline != null; pipeline = idle.poll()) {
            pipeline.close();
        }
    }
}
