package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.lang.foreign.Arena;

/** The activations of one forward pass at a time, and its inputs: one allocation, used again and again. Not thread-safe. */
public final class EncoderWorkspace implements AutoCloseable {
    private final Backend backend;
    private final int maxRows;
    private final int maxTexts;
    private final TensorTable table;
    private final Weights memory;
    private EncoderInputs inputs;

    /** @param activations the encoder's own tensors, f32 [maxRows, width] each; the inputs are added here */
    EncoderWorkspace(Backend backend, int maxRows, int maxTexts, TensorTable activations) {
        this.backend = backend;
        this.maxRows = maxRows;
        this.maxTexts = maxTexts;
        this.table = activations.add("inputs", DType.I32, EncoderInputs.size(maxRows, maxTexts));
        this.memory = table.carve(backend::allocate);
    }

    /** Whether a batch of this size fits. */
    public boolean fits(int wantedRows, int wantedTexts) {
        return wantedRows <= maxRows && wantedTexts <= maxTexts;
    }

    /** Bytes of the allocation. */
    public long bytes() {
        return table.bytes();
    }

    /** What the allocation holds, a line each, in MiB. */
    @Override
    public String toString() {
        return table.toString();
    }

    /** Makes the batch the current one; later reads are as long as it is. */
    void load(TokenBatch batch) {
        if (!fits(batch.rows(), batch.texts())) {
            throw new IllegalArgumentException("a batch of " + batch.rows() + " tokens in " + batch.texts() + " texts, but the workspace was made for "
                    + maxRows + " tokens in " + maxTexts + " texts");
        }
        try (Arena arena = Arena.ofConfined()) {
            load(EncoderInputs.of(arena, batch));
        }
    }

    /** As {@link #load(TokenBatch)}, of a batch that fits: one upload. */
    void load(EncoderInputs host) {
        inputs = new EncoderInputs(memory.get("inputs"), host.rows(), host.texts());
        backend.upload(inputs.used(), host.used().data());
    }

    /** Of the current batch, in the backend's memory. */
    EncoderInputs inputs() {
        return inputs;
    }

    /** f32 [rows, width of the activation]. */
    Tensor rows(String activation) {
        Tensor whole = memory.get(activation);
        return whole.prefix(inputs.rows(), whole.cols());
    }

    @Override
    public void close() {
        memory.close();
    }
}
