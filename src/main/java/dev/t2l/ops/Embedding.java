package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** Rows looked up in a table. */
public final class Embedding {
    private Embedding() {
    }

    /**
     * {@code out[i, :] = scale * table[ids[i], :]}.
     *
     * @param out   f32 [n, d]
     * @param table any float type [V, d]
     * @param ids   i32 [n], each below V (the caller checks)
     */
    public static void forward(Backend backend, Tensor out, Tensor table, Tensor ids, float scale) {
        Check.matrix("Embedding", "out", out, DType.F32, ids.elements(), table.cols());
        into(backend, out, 0, table, ids, scale);
    }

    /** As {@link #forward}, into columns {@code [column, column + d)} of a wider {@code out}: how features are concatenated. */
    public static void into(Backend backend, Tensor out, long column, Tensor table, Tensor ids, float scale) {
        Check.elements("Embedding", "ids", ids, DType.I32, out.rows());
        Check.that(out.dtype() == DType.F32 && column >= 0 && column + table.cols() <= out.cols(), "Embedding", "out must be F32 and as wide as the looked-up columns", out);
        backend.gather(out, column, table, ids, scale);
    }

    /**
     * Of a trained table, added in the order of the rows: {@code dtable[ids[i], :] += scale * dy[i, column .. column + d)}.
     *
     * @param dtable f32 [V, d]
     * @param dy     f32 [n, w]
     * @param ids    i32 [n], each below V (the caller checks)
     */
    public static void backward(Backend backend, Tensor dtable, Tensor dy, long column, Tensor ids, float scale) {
        Check.elements("Embedding.backward", "ids", ids, DType.I32, dy.rows());
        Check.that(dtable.dtype() == DType.F32, "Embedding.backward", "dtable must be F32", dtable);
        Check.that(dy.dtype() == DType.F32 && column >= 0 && column + dtable.cols() <= dy.cols(), "Embedding.backward",
                "dy must be F32 and as wide as the looked-up columns", dy);
        backend.gradients().scatterAdd(dtable, dy, column, ids, scale);
    }
}
