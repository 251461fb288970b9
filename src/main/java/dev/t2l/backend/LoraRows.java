package dev.t2l.backend;

import dev.t2l.tensor.Tensor;
import java.util.List;

/**
 * The adapters of a batch at one projection, and each row's list of them.
 *
 * <p>What the tensors hold may change between launches, and factors with them; how many factors there are and the largest rank among
 * them never do, so launches may depend on these.
 *
 * @param factors  the adapters of the batch that act here, then entries without matrices that no row refers to
 * @param table    the same for kernels: U8 [K, 24], each {@code {const float *a; const float *b; int32 rank; float scale}}
 * @param slots    i32 [N, k], N at least the rows of the product: the row's adapters as indices into factors, -1 ends the list
 * @param weights  f32 [N, k]: their weights; a weight of 0 leaves the row's bits alone
 * @param headDim  if not 0, the projection's output rows lie interleaved within each head of this size (llama.cpp's order for
 *                 q and k): row {@code h + 2j + p} of the weight is row {@code h + p*headDim/2 + j} of B
 * @param routing  if rows may choose among the adapters of their lists, what {@link Backend#route} makes the weights of; else null
 */
public record LoraRows(List<Factor> factors, Tensor table, Tensor slots, Tensor weights, int headDim, Routing routing) {

    /** Adapters with weights that are given. */
    public LoraRows(List<Factor> factors, Tensor table, Tensor slots, Tensor weights, int headDim) {
        this(factors, table, slots, weights, headDim, null);
    }

    /**
     * How rows choose. Contents may change between launches, as those of {@link LoraRows} may.
     *
     * @param prototypes of the factors, f32 [in] each; null in entries that are not used
     * @param table      the same for kernels: U8 [K, 8], each {@code const float *}
     * @param given      f32 [N, k]: factors on the weights that are chosen
     * @param choices    f32 [N, 2]: how many adapters of its list a row chooses, or 0 if its weights are those given; and the temperature
     */
    public record Routing(List<Tensor> prototypes, Tensor table, Tensor given, Tensor choices) {
        /** Bytes of an entry of {@link #table}. */
        public static final int ENTRY_BYTES = 8;
    }

    /** f32 a [rank, in], b [out, rank]; both null in an entry that is not used, whose rank is the most there is room for. */
    public record Factor(Tensor a, Tensor b, int rank, float scale) {
    }

    /** Bytes of an entry of {@link #table}. */
    public static final int ENTRY_BYTES = 24;
}
