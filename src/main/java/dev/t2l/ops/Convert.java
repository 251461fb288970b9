package dev.t2l.ops;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;

/** The same values in another type. */
public final class Convert {
    private Convert() {
    }

    /**
     * {@code out = x}, rounded to nearest even.
     *
     * @param out F32, F16 or BF16, of x's size
     * @param x   F32, F16 or BF16, any shape
     */
    public static void forward(Backend backend, Tensor out, Tensor x) {
        Check.that(plain(x), "Convert", "x must be F32, F16 or BF16", x);
        Check.that(plain(out) && out.elements() == x.elements(), "Convert", "out must be F32, F16 or BF16 with " + x.elements() + " elements", out);
        backend.gradients().convert(out, x);
    }

    private static boolean plain(Tensor t) {
        return t.dtype() == DType.F32 || t.dtype() == DType.F16 || t.dtype() == DType.BF16;
    }
}
