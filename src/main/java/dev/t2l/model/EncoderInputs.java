package dev.t2l.model;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What an encoder reads of a batch, side by side in one block of i32, so that a single copy brings it to a device. Where each part lies
 * depends on the numbers of rows and texts alone.
 *
 * @param block i32, at least {@link #size} long, on the host or in the backend's memory
 */
record EncoderInputs(Tensor block, int rows, int texts) {
    /** Parts begin at multiples of so many i32: 64 bytes. */
    private static final long ALIGNMENT = 16;

    /** Elements of a block for so many rows and texts, or fewer. */
    static long size(int rows, int texts) {
        return 5 * aligned(rows) + 4 * aligned(texts);
    }

    private static long aligned(int n) {
        return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    /** Those of a batch, on the host. */
    static EncoderInputs of(Arena arena, TokenBatch batch) {
        Tensor block = Tensor.allocate(arena, DType.I32, size(batch.rows(), batch.texts()));
        return new EncoderInputs(block, batch.rows(), batch.texts()).fill(batch);
    }

    /** Writes those of a batch of so many rows and texts; the block is on the host. */
    EncoderInputs fill(TokenBatch batch) {
        write(ids(), batch.packedIds());
        write(types(), batch.packedTypes());
        write(positions(), batch.positions());
        write(ranges(), batch.ranges());
        int[] spans = batch.spans();
        write(spans(), spans);
        for (int i = 0; i < texts; i++) {
            firsts().setInt(i, spans[2 * i]);
            lasts().setInt(i, spans[2 * i + 1] - 1);
        }
        return this;
    }

    private static void write(Tensor part, int[] values) {
        MemorySegment.copy(values, 0, part.data(), ValueLayout.JAVA_INT, 0, values.length);
    }

    /** The part of the block that is used. */
    Tensor used() {
        return block.prefix(size(rows, texts));
    }

    /** i32 [rows]. */
    Tensor ids() {
        return part(0, rows);
    }

    /** i32 [rows]. */
    Tensor types() {
        return part(aligned(rows), rows);
    }

    /** i32 [rows]: each token's place in its text. */
    Tensor positions() {
        return part(2 * aligned(rows), rows);
    }

    /** i32 [rows, 2]: the rows that each token attends to. */
    Tensor ranges() {
        return part(3 * aligned(rows), 2L * rows).reshape(rows, 2);
    }

    /** i32 [texts, 2]: each text's rows. */
    Tensor spans() {
        return part(5 * aligned(rows), 2L * texts).reshape(texts, 2);
    }

    /** i32 [texts]: each text's first row. */
    Tensor firsts() {
        return part(5 * aligned(rows) + 2 * aligned(texts), texts);
    }

    /** i32 [texts]: each text's last row. */
    Tensor lasts() {
        return part(5 * aligned(rows) + 3 * aligned(texts), texts);
    }

    private Tensor part(long from, long n) {
        return block.slice(from, from + n);
    }
}
