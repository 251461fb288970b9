package dev.t2l.backend;

import dev.t2l.backend.CudaPanels.Shape;
import dev.t2l.tensor.Tensor;
import java.util.List;

/**
 * An encoder's layers by five launches each: {@code cuda/encoderpanels.cu} and {@code cuda/encoderattention.cu}, for bf16 weights on compute
 * capability 9.0. Norms are made where what they give is read, out of sums that the product before left; the last one is a launch of its own.
 *
 * <p>Whether a layer comes here, and into how many slices its sums are cut, follows from weights alone.
 */
final class CudaEncoder {
    private static final int UNIT = CudaPanels.UNIT;
    /** What {@code encoderpanels.cu} calls PART and MOST_PARTS, its products a launch, and its rows' norms that have room beside the barriers. */
    private static final int PART = 64;
    private static final int MOST_PARTS = 32;
    private static final int PRODUCTS = 3;
    private static final int FIELDS = 5;
    private static final int FEW_ROWS = 56;
    private static final int NORM_BYTES = 8;
    private static final int[] ROWS = {16, 32, 48, 64, 96, 128};
    private static final int[] LOADERS = {4, 4, 4, 4, 2, 2};
    private static final int UNITS = 2;
    /** A slice has so many blocks of k at least. */
    private static final int LEAST_DEPTH = 2;
    private static final int NO_FUNCTION = -1;
    private static final int NORM_THREADS = 256;
    /** Head dimensions that attention is compiled for are multiples of this one, up to four; also its rows a block. */
    private static final int SIXTEEN = 16;
    private static final int ATTENTION_THREADS = 128;

    /** A layer norm that is still to be made of a tensor, by the sums at {@code parts}; null: none. */
    private record Pending(AffineNorm norm, long parts) {
        static final Pending NONE = new Pending(null, 0);
    }

    /**
     * Products of one launch.
     *
     * @param gated    one product, of two weights
     * @param residual what is added, or null; the norm that is pending is then this one's, else that of what the products take
     * @param parts    where the results' sums go, with a residual
     */
    private record Call(List<Product> products, boolean gated, Activation f, Tensor residual, long parts) {
    }

    private final CudaDevice device;
    private final Shape[] products = new Shape[ROWS.length];
    private final Shape[] gated = new Shape[ROWS.length];
    private final Shape[] added = new Shape[ROWS.length];
    private final CudaFunction[] attention = new CudaFunction[4];
    private final CudaFunction layerNorm;

    CudaEncoder(CudaDevice device) {
        this.device = device;
        CudaModule module = device.module("encoderpanels");
        for (int i = 0; i < ROWS.length; i++) {
            products[i] = shape(module, "encoder_products_", i);
            gated[i] = shape(module, "encoder_gated_", i);
            added[i] = shape(module, "encoder_added_", i);
        }
        for (int i = 0; i < attention.length; i++) {
            attention[i] = device.module("encoderattention").function("encoder_attention_" + SIXTEEN * (i + 1));
        }
        layerNorm = device.module("layernorm").function("layer_norm");
    }

    private Shape shape(CudaModule module, String name, int i) {
        return new Shape(module.function(name + ROWS[i]).maxShared(device.sharedPerBlock()), ROWS[i], UNITS, LOADERS[i]);
    }

    /** {@link Backend#encoderLayers}; or nothing, and returns false, if some layer is of another kind. */
    boolean run(Tensor x, List<EncoderLayer> layers, EncoderRows rows) {
        if (layers.isEmpty() || x.rows() == 0 || !takes(rows.heads()) || !layers.stream().allMatch(CudaEncoder::takes)) {
            return false;
        }
        long bytes = x.rows() * (x.cols() / PART) * NORM_BYTES;
        CudaScratch scratch = device.scratch();
        synchronized (scratch) {
            long first = scratch.address(2 * bytes);
            long second = first + bytes;
            Pending pending = Pending.NONE;
            for (EncoderLayer layer : layers) {
                pending = layer(x, layer, rows, pending, first, second);
            }
            AffineNorm last = pending.norm();
            layerNorm.args().pointer(x).pointer(x).i64(0).i64(x.cols()).pointer(last.weight()).i32(CudaLinear.biasType(last.weight())).pointer(last.bias())
                    .i32(CudaLinear.biasType(last.bias())).f32(last.eps()).run(Math.toIntExact(x.rows()), 1, 1, NORM_THREADS, 0);
        }
        return true;
    }

    private Pending layer(Tensor x, EncoderLayer layer, EncoderRows rows, Pending pending, long first, long second) {
        Tensor branch = layer.output().y();
        launch(products, x, pending, new Call(List.of(layer.query(), layer.key(), layer.value()), false, null, null, 0));
        attend(layer, rows);
        launch(added, rows.context(), pending, new Call(List.of(layer.output()), false, null, x, first));
        var between = new Pending(layer.attentionNorm(), first);
        boolean isGated = layer.gate() != null;
        List<Product> inner = isGated ? List.of(layer.gate(), layer.up()) : List.of(layer.up());
        launch(isGated ? gated : products, branch, between, new Call(inner, isGated, rows.f(), null, 0));
        Product down = new Product(x, layer.down().w(), layer.down().bias(), null);
        launch(added, inner.getFirst().y(), between, new Call(List.of(down), false, null, branch, second));
        return new Pending(layer.norm(), second);
    }

    private static boolean takes(AttentionSpec spec) {
        return spec.headDim() % SIXTEEN == 0 && spec.headDim() <= 4 * SIXTEEN && spec.heads() == spec.kvHeads() && spec.softcap() == 0 && spec.window() == 0;
    }

    private static boolean takes(EncoderLayer layer) {
        return takes(layer.query()) && takes(layer.key()) && takes(layer.value()) && takes(layer.output()) && takes(layer.attentionNorm()) && takes(layer.up())
                && (layer.gate() == null || takes(layer.gate())) && takes(layer.down()) && takes(layer.norm());
    }

    private static boolean takes(Product p) {
        return CudaPanels.takes(p.w()) && p.w().rows() % UNIT == 0 && p.w().rows() > 0 && vector(p.bias());
    }

    private static boolean takes(AffineNorm norm) {
        return norm.weight().elements() <= (long) MOST_PARTS * PART && vector(norm.weight()) && vector(norm.bias());
    }

    /** Null, or read four elements at a time. */
    private static boolean vector(Tensor v) {
        return v == null || KernelTypes.code(v.dtype()) >= 0 && !v.dtype().quantised() && v.address() % 16 == 0;
    }

    /** Tiles of a product's outputs, of which each takes a unit of either weight if there are two. */
    private static int tiles(Product p, boolean gated) {
        return Math.toIntExact(CudaLinear.ceil(p.w().rows(), gated ? UNIT : (long) UNITS * UNIT));
    }

    private void attend(EncoderLayer layer, EncoderRows rows) {
        AttentionSpec spec = rows.heads();
        long n = rows.ranges().rows();
        attention[spec.headDim() / SIXTEEN - 1].args().pointer(rows.context()).pointer(layer.query().y()).i64(n).pointer(layer.key().y()).pointer(layer.value().y())
                .pointer(rows.ranges()).i32(spec.heads()).f32(spec.scale()).i64(device.fault()).pointer(rows.angles())
                .runClusters(1, spec.heads(), Math.toIntExact(CudaLinear.ceil(n, SIXTEEN)), ATTENTION_THREADS, 0);
    }

    private void launch(Shape[] kernels, Tensor x, Pending pending, Call call) {
        Shape shape = kernels[CudaPanels.place(ROWS, x.rows())];
        int tiles = call.gated() ? tiles(call.products().getFirst(), true) : call.products().stream().mapToInt(p -> tiles(p, false)).sum();
        int slices = CudaPanels.slices(tiles, x.cols(), LEAST_DEPTH);
        int normBytes = shape.rows() <= FEW_ROWS ? 0 : shape.rows() * NORM_BYTES;
        int stages = CudaPanels.stages(shape, x.cols(), slices, device.sharedPerBlock() - normBytes);
        CudaLaunch launch = shape.kernel().args().pointer(x).i64(x.rows()).i64(x.cols()).i32(slices).i32(stages).i32(call.products().size())
                .i32(call.f() == null ? NO_FUNCTION : call.f().ordinal());
        pass(launch, call);
        pass(launch, pending, call.residual() == null ? x : call.residual());
        launch.pointer(call.residual()).i64(call.parts()).runClusters(slices, Math.multiplyExact(tiles, slices),
                Math.toIntExact(CudaLinear.ceil(x.rows(), shape.rows())), shape.threads(), CudaPanels.BARRIERS + stages * shape.stageBytes() + normBytes);
    }

    /** The fields of {@code struct encoder_product}, for each. */
    private static void pass(CudaLaunch launch, Call call) {
        int tile = 0;
        for (Product p : call.products()) {
            launch.pointer(p.w()).pointer(p.bias()).pointer(p.y()).i64(p.w().rows()).i64(CudaLinear.biasType(p.bias()) & 0xffffffffL | (long) tile << 32);
            tile += call.gated() ? 0 : tiles(p, false);
        }
        for (int i = call.products().size() * FIELDS; i < PRODUCTS * FIELDS; i++) {
            launch.i64(0);
        }
    }

    /** Those of {@code struct encoder_products} that tell of a norm of {@code of}. */
    private static void pass(CudaLaunch launch, Pending pending, Tensor of) {
        AffineNorm norm = pending.norm();
        if (norm == null) {
            launch.i64(0).i64(0).i64(0).i64(0).i64(0);
            return;
        }
        launch.i64(pending.parts()).pointer(norm.weight()).pointer(norm.bias())
                .i64(CudaLinear.biasType(norm.weight()) & 0xffffffffL | (long) CudaLinear.biasType(norm.bias()) << 32)
                .i64(Float.floatToRawIntBits(norm.eps()) & 0xffffffffL | of.cols() / PART << 32);
    }
}
