package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;

/**
 * Keys and values of several sequences, a slot each, in one allocation: per layer f32 [slots * capacity, kvHeads * headDim].
 * Position p of slot s is row {@code s * capacity + p}.
 */
public final class KvCache implements AutoCloseable {
    private final int slots;
    private final int capacity;
    private final Weights memory;
    private final Tensor[] keys;
    private final Tensor[] values;

    /** @param capacity positions a slot */
    public KvCache(Backend backend, DecoderConfig config, int slots, int capacity) {
        if (slots <= 0 || capacity <= 0 || (long) slots * capacity > Integer.MAX_VALUE) {
            throw new IllegalArgumentException("a cache of " + slots + " slots of " + capacity + " positions");
        }
        this.slots = slots;
        this.capacity = capacity;
        memory = table(config, slots, capacity).carve(backend::allocate);
        keys = new Tensor[config.layers()];
        values = new Tensor[config.layers()];
        for (int l = 0; l < config.layers(); l++) {
            keys[l] = memory.get("keys." + l);
            values[l] = memory.get("values." + l);
        }
    }

    /** What a cache of this size will hold. */
    public static TensorTable table(DecoderConfig config, int slots, int capacity) {
        var table = new TensorTable();
        for (int l = 0; l < config.layers(); l++) {
            table.add("keys." + l, DType.F32, (long) slots * capacity, config.keyWidth());
            table.add("values." + l, DType.F32, (long) slots * capacity, config.keyWidth());
        }
        return table;
    }

    long bytes() {
        return memory.bytes();
    }

    int slots() {
        return slots;
    }

    /** The cache row of a position. */
    int row(int slot, int position) {
        if (slot < 0 || slot >= slots || position < 0 || position >= capacity) {
            throw new IndexOutOfBoundsException("position " + position + " of slot " + slot + " in a cache of " + slots + " slots of " + capacity);
        }
        return slot * capacity + position;
    }

    Tensor keys(int layer) {
        return keys[layer];
    }

    Tensor values(int layer) {
        return values[layer];
    }

    @Override
    public void close() {
        memory.close();
    }
}
