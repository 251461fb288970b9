package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Recording;
import dev.t2l.ops.LoraBatch;

/**
 * One step of decoding, for batches whose adapters have one shape: inputs up, a pass over all rows, the choice of their tokens.
 * It is recorded once for each number of rows, and run again by one call, on whatever the workspace's inputs and the adapters'
 * tables then hold.
 */
final class DecodeStep implements AutoCloseable {
    private final Decoder decoder;
    private final Workspace space;
    private final KvCache cache;
    private final LoraBatch lora;
    private final Recording[] recordings; // by rows

    /**
     * @param decoder for few rows
     * @param space   as many rows as the cache has slots
     * @param lora    owned from now on; null without adapters
     */
    DecodeStep(Decoder decoder, Workspace space, KvCache cache, LoraBatch lora) {
        this.decoder = decoder;
        this.space = space;
        this.cache = cache;
        this.lora = lora;
        recordings = new Recording[cache.slots() + 1];
    }

    /** The rows' adapters; null if no row has any. */
    LoraBatch adapters() {
        return lora;
    }

    /** Runs the pass that the workspace holds, every row of it wanted, and waits for its tokens. */
    void run() {
        Backend backend = decoder.backend();
        int rows = space.size();
        if (recordings[rows] == null) {
            recordings[rows] = backend.record(this::pass);
        }
        recordings[rows].run();
        backend.await();
    }

    private void pass() {
        decoder.forward(space, cache, lora);
        decoder.logits(space);
        decoder.sample(space);
    }

    @Override
    public void close() {
        for (Recording recording : recordings) {
            if (recording != null) {
                recording.close();
            }
        }
        if (lora != null) {
            lora.close();
        }
    }
}
