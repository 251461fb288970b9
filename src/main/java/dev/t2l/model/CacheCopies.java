package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.ops.Embedding;
import dev.t2l.ops.Scatter;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;

/** Copies of keys and values from slot to slot of a cache, at all layers, bit by bit: what a prompt has in common with another is read once. Not thread-safe. */
final class CacheCopies implements AutoCloseable {
    private static final int LAUNCHED = 1024; // rows at once
    private static final int REPLAYED = 4096; // and where launches cost more than rows

    private final Backend backend;
    private final KvCache cache;
    private final int layers;
    private final int most; // rows at once
    private final Memory pinned;
    private final Weights host;
    private final Memory memory;
    private final Weights device;
    private final Tensor rows; // the device's from and to, as bytes
    private int n;

    CacheCopies(Backend backend, DecoderConfig config, KvCache cache) {
        this.backend = backend;
        this.cache = cache;
        this.layers = config.layers();
        this.most = backend.replays() ? REPLAYED : LAUNCHED;
        var numbers = new TensorTable().add("from", DType.I32, most).add("to", DType.I32, most);
        long bytes = numbers.bytes();
        pinned = backend.pinned(bytes);
        host = numbers.carve(_ -> pinned);
        numbers.add("copied", DType.F32, most, config.keyWidth());
        try {
            memory = backend.allocate(numbers.bytes());
        } catch (RuntimeException | Error e) {
            pinned.close();
            throw e;
        }
        device = numbers.carve(_ -> memory);
        rows = Tensor.of(DType.U8, memory.segment(), bytes);
    }

    /** Copies the first positions of a slot to another, at the latest at {@link #flush}. No slot is both read and written until then. */
    void add(int from, int to, int positions) {
        for (int p = 0; p < positions; p++) {
            host.get("from").setInt(n, cache.row(from, p));
            host.get("to").setInt(n, cache.row(to, p));
            if (++n == most) {
                flush();
            }
        }
    }

    /** Does what is left. */
    void flush() {
        if (n == 0) {
            return;
        }
        backend.upload(rows, pinned.segment());
        Tensor from = device.get("from").slice(0, n);
        Tensor to = device.get("to").slice(0, n);
        Tensor copied = device.get("copied").slice(0, n);
        for (int l = 0; l < layers; l++) {
            for (Tensor table : new Tensor[] {cache.keys(l), cache.values(l)}) {
                Embedding.forward(backend, copied, table, from, 1);
                Scatter.forward(backend, table, copied, to);
            }
        }
        backend.await(); // then the rows' numbers may be written again
        n = 0;
    }

    @Override
    public void close() {
        memory.close();
        pinned.close();
    }
}
