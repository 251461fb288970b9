package dev.t2l.ops;

import dev.t2l.backend.Activation;
import dev.t2l.backend.Backend;
import dev.t2l.backend.Mixed;
import dev.t2l.backend.Norm;
import dev.t2l.backend.Product;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.List;

/**
 * Adapted products ({@link LoraLinear}) together with what a transformer's block does just before and after them. Where rows choose their
 * adapters ({@link Route}), what they choose by is computed apart, and the products then run as ever: so other rows keep their bits.
 */
public final class Products {
    private Products() {
    }

    /** Several products of one input, x f32 [n, in]. */
    public static void forward(Backend backend, Tensor x, List<Product> products) {
        check("Products", x, products);
        Route.forward(backend, x, products);
        backend.products(x, products);
    }

    /** Several products of one input in training, without adapters: x F32 or BF16 [n, in], each y F32 or BF16. */
    public static void forward(Mixed kernels, Tensor x, List<Product> products) {
        for (Product p : products) {
            Linear.checkMixed("Products", p.y(), x, p.w(), p.bias());
        }
        kernels.products(x, products);
    }

    /**
     * Several products of {@link RmsNorm} of x.
     *
     * @param h f32 [n, in], undefined afterwards
     * @param x f32 [n, in]
     */
    public static void normed(Backend backend, Tensor h, Tensor x, Norm norm, List<Product> products) {
        norm("Products.normed", h, x, norm);
        check("Products.normed", x, products);
        if (Route.chosen(products)) {
            normalise(backend, h, x, norm);
            Route.forward(backend, h, products);
        }
        backend.normedProducts(h, x, norm, products);
    }

    /**
     * A gated MLP's first half (Shazeer 2020): {@code gate.y = f(gate product) * up product}.
     *
     * @param h    f32 [n, in], undefined afterwards; null if norm is
     * @param x    f32 [n, in]
     * @param norm of x before the products, or null for none
     */
    public static void gated(Backend backend, Tensor h, Tensor x, Norm norm, Product gate, Product up, Activation f) {
        if (norm != null) {
            norm("Products.gated", h, x, norm);
        }
        check("Products.gated", x, gate);
        check("Products.gated", x, up);
        Check.matrix("Products.gated", "up", up.y(), DType.F32, gate.y().rows(), gate.y().cols());
        routeGated(backend, h, x, norm, gate, up);
        backend.gatedProduct(h, x, norm, gate, up, f);
    }

    /**
     * A gated MLP with its norm and residual: {@code x += down product of f(gate product) * up product}, the latter two of
     * {@link RmsNorm} of x.
     *
     * @param h f32 [n, in], undefined afterwards, as are gate.y, up.y and down.y, which may be h
     * @param x f32 [n, in]
     */
    public static void mlp(Backend backend, Tensor h, Tensor x, Norm norm, Product gate, Product up, Product down, Activation f) {
        norm("Products.mlp", h, x, norm);
        check("Products.mlp", x, gate);
        check("Products.mlp", x, up);
        Check.matrix("Products.mlp", "up", up.y(), DType.F32, gate.y().rows(), gate.y().cols());
        check("Products.mlp", gate.y(), down);
        Check.matrix("Products.mlp", "x", x, DType.F32, down.y().rows(), down.y().cols());
        routeGated(backend, h, x, norm, gate, up);
        if (Route.chosen(down)) {
            backend.gatedProduct(h, x, norm, gate, up, f);
            Route.forward(backend, gate.y(), down.lora());
        }
        backend.gatedMlp(h, x, norm, gate, up, down, f);
    }

    /** {@code x += product of in}; x f32 [n, out], in f32 [n, in]. */
    public static void add(Backend backend, Tensor x, Tensor in, Product product) {
        check("Products.add", in, product);
        Route.forward(backend, in, product.lora());
        Check.matrix("Products.add", "x", x, DType.F32, product.y().rows(), product.y().cols());
        backend.addProduct(x, in, product);
    }

    /** {@link #add} in training, without adapters; x and in F32 or BF16, product.y f32 scratch. */
    public static void add(Mixed kernels, Tensor x, Tensor in, Product product) {
        Linear.checkMixed("Products.add", x, in, product.w(), product.bias());
        Check.matrix("Products.add", "scratch", product.y(), DType.F32, x.rows(), x.cols());
        kernels.addProduct(x, in, product);
    }

    /** {@code y = f(x w^T + bias)}, plus {@code residual} (f32 [n, out]) unless that is null. */
    public static void activated(Backend backend, Tensor y, Tensor x, Tensor w, Tensor bias, Activation f, Tensor residual) {
        Linear.check("Products.activated", y, x, w, bias);
        if (residual != null) {
            Check.matrix("Products.activated", "residual", residual, DType.F32, y.rows(), y.cols());
        }
        backend.activatedLinear(y, x, w, bias, f, residual);
    }

    private static void routeGated(Backend backend, Tensor h, Tensor x, Norm norm, Product gate, Product up) {
        if (!Route.chosen(gate) && !Route.chosen(up)) {
            return;
        }
        if (norm != null) {
            normalise(backend, h, x, norm);
        }
        Tensor in = norm == null ? x : h;
        Route.forward(backend, in, gate.lora());
        Route.forward(backend, in, up.lora());
    }

    private static void normalise(Backend backend, Tensor h, Tensor x, Norm norm) {
        backend.rmsNorm(h, x, norm.weight(), norm.eps(), norm.weightOffset());
    }

    private static void norm(String op, Tensor h, Tensor x, Norm norm) {
        Check.matrix(op, "h", h, DType.F32, x.rows(), x.cols());
        Check.weight(op, "norm", norm.weight(), x.cols());
    }

    private static void check(String op, Tensor x, List<Product> products) {
        for (int i = 0; i < products.size(); i++) {
            check(op, x, products.get(i));
        }
    }

    private static void check(String op, Tensor x, Product p) {
        LoraLinear.check(op, p.y(), x, p.w(), p.bias(), p.lora());
    }
}
