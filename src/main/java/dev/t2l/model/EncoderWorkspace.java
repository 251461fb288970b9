package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;

/** The activations of one forward pass at a time, and its inputs: one allocation, used again and again. Not thread-safe. */
public final class EncoderWorkspace implements AutoCloseable {
    private final Backend backend;
    private final int maxRows;
    private final int maxTexts;
    private final TensorTable table;
    private final Weights memory;
    private int rows;
    private int texts;

    /** @param activations the encoder's own tensors, f32 [maxRows, width] each; the inputs are added here */
    EncoderWorkspace(Backend backend, int maxRows, int maxTexts, TensorTable activations) {
        this.backend = backend;
        this.maxRows = maxRows;
        this.maxTexts = maxTexts;
        this.table = activations.add("ids", DType.I32, maxRows).add("types", DType.I32, maxRows).add("positions", DType.I32, maxRows)
                .add("ranges", DType.I32, maxRows, 2).add("spans", DType.I32, maxTexts, 2).add("picks", DType.I32, maxTexts);
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
        rows = batch.rows();
        texts = batch.texts();
        upload(ids(), batch.packedIds());
        upload(types(), batch.packedTypes());
        upload(positions(), batch.positions());
        upload(ranges(), batch.ranges());
        upload(spans(), batch.spans());
    }

    private void upload(Tensor to, int[] values) {
        backend.upload(to, Tensor.ofInts(values, values.length).data());
    }

    /** i32 [rows]. */
    Tensor ids() {
        return memory.get("ids").prefix(rows);
    }

    /** i32 [rows]. */
    Tensor types() {
        return memory.get("types").prefix(rows);
    }

    /** i32 [rows]: each token's place in its text. */
    Tensor positions() {
        return memory.get("positions").prefix(rows);
    }

    /** i32 [rows, 2]: each token's own text, as rows. */
    Tensor ranges() {
        return memory.get("ranges").prefix(rows, 2);
    }

    /** i32 [texts, 2]: each text's rows. */
    Tensor spans() {
        return memory.get("spans").prefix(texts, 2);
    }

    /** i32 [texts], set to one row of each text. */
    Tensor picks(int[] chosen) {
        Tensor picks = memory.get("picks").prefix(texts);
        upload(picks, chosen);
        return picks;
    }

    /** f32 [rows, width of the activation]. */
    Tensor rows(String activation) {
        Tensor whole = memory.get(activation);
        return whole.prefix(rows, whole.cols());
    }

    @Override
    public void close() {
        memory.close();
    }
}
