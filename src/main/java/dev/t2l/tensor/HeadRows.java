package dev.t2l.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The two orders of a query or key projection's rows inside a head: rotary pairs (j, j+h) as in Hugging Face files, or (2j, 2j+1) as in
 * GGUF files of the {@code llama} architecture (convert_hf_to_gguf's permute).
 */
public final class HeadRows {
    private HeadRows() {
    }

    /**
     * Where row {@code row} of the order in halves lies in the order of neighbours; {@code row} itself if {@code headDim} is 0.
     *
     * @param headDim rows of a head, 2h
     */
    public static long neighbour(long row, int headDim) {
        if (headDim == 0) {
            return row;
        }
        long inHead = row % headDim;
        int half = headDim / 2;
        return row - inHead + inHead % half * 2 + inHead / half;
    }

    /**
     * From halves to neighbours: row {@code 2j + s} of a head was row {@code j + s*h}.
     *
     * @param rows  host tensor [heads * 2h, ...] of any type
     * @param heads the heads of this projection: of a key projection the key heads
     */
    public static Tensor interleave(Arena arena, Tensor rows, int heads) {
        return permute(arena, rows, heads, true);
    }

    /** From neighbours to halves: undoes {@link #interleave}. */
    public static Tensor deinterleave(Arena arena, Tensor rows, int heads) {
        return permute(arena, rows, heads, false);
    }

    private static Tensor permute(Arena arena, Tensor rows, int heads, boolean interleave) {
        if (rows.rank() < 1 || heads < 1 || rows.dim(0) % (2L * heads) != 0) {
            throw new IllegalArgumentException(rows + " has no whole number of row pairs in each of " + heads + " heads");
        }
        Tensor result = Tensor.allocate(arena, rows.dtype(), rows.shape());
        int headDim = Math.toIntExact(rows.dim(0) / heads);
        long stride = rows.bytes() / rows.dim(0);
        for (long row = 0; row < rows.dim(0); row++) {
            long neighbours = neighbour(row, headDim);
            MemorySegment.copy(rows.data(), (interleave ? row : neighbours) * stride, result.data(), (interleave ? neighbours : row) * stride, stride);
        }
        return result;
    }
}
