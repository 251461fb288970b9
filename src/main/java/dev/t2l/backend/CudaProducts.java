package dev.t2l.backend;

import dev.t2l.tensor.Tensor;
import java.util.List;

/**
 * The products of {@link CudaBackend}: linear, lora, both in one, with what comes after them, and what a hypernetwork's heads make.
 *
 * <p>The fused ones take bf16 weights where the device has {@link CudaPanels}, whatever adapters the rows have; else they say no and do
 * nothing. Adapters are added last, so rows without have the bits that they have among others without.
 */
final class CudaProducts {
    private static final int THREADS = 256;
    private static final long MOST_BLOCKS = 4096;

    private final CudaDevice device;
    private final CudaLora lora;
    private final CudaLinear linear;
    private final CudaHeads heads;
    private final CudaDense dense;
    private final CudaPanels panels; // or null, and the next two, too
    private final CudaEncoder encoder;
    private final CudaHyperBody hyperBody;
    private final CudaFunction gated;
    private final CudaThin thin;
    private final CudaFunction cut;

    CudaProducts(CudaDevice device) {
        this.device = device;
        this.lora = new CudaLora(device);
        this.linear = new CudaLinear(device, lora);
        boolean wide = CudaPanels.available(device);
        this.panels = wide ? new CudaPanels(device) : null;
        this.encoder = wide ? new CudaEncoder(device) : null;
        this.hyperBody = wide ? new CudaHyperBody(device) : null;
        this.heads = new CudaHeads(device, wide);
        this.dense = new CudaDense(device, lora);
        this.gated = device.module("activation").function("gated");
        this.thin = new CudaThin(device, lora);
        this.cut = device.module("lorafactor").function("lora_factor_cut");
    }

    /** What the view for many rows has of its own. */
    CudaDense dense() {
        return dense;
    }

    /** What the view for few rows has of its own. */
    CudaThin thin() {
        return thin;
    }

    private void linear(Tensor y, Tensor x, Tensor w, Tensor bias, boolean decoding) {
        if (decoding) {
            linear.few(y, x, w, bias, null, 0, 0);
        } else if (panels != null && CudaPanels.takes(w)) {
            panels.product(x, new Product(y, w, bias, null), null, null);
        } else {
            linear.many(y, x, w, bias);
        }
    }

    /** {@link Backend#lora}. */
    void lora(Tensor y, Tensor x, LoraRows rows) {
        long stride = CudaLora.stride(rows);
        if (stride == 0) {
            return;
        }
        CudaScratch scratch = device.scratch();
        synchronized (scratch) {
            long low = scratch.address(CudaLora.lowBytes(rows, stride));
            lora.low(x, rows, low, stride);
            lora.add(y, rows, low, stride);
        }
    }

    /** {@link Backend#route}. */
    void route(Tensor x, LoraRows rows) {
        if (x.rows() > 0) {
            lora.route(x, rows);
        }
    }

    /**
     * {@link Backend#loraLinear} of a weight that {@link #thin()} does not take, or for many rows; for few, the adapters are added where the
     * product's sums are.
     */
    void loraLinear(Tensor y, Tensor x, Tensor w, Tensor bias, LoraRows rows, boolean decoding) {
        if (rows == null || !decoding) {
            linear(y, x, w, bias, decoding);
            if (rows != null) {
                lora(y, x, rows);
            }
            return;
        }
        long stride = CudaLora.stride(rows);
        CudaScratch scratch = device.scratch();
        synchronized (scratch) {
            long low = scratch.address(CudaLora.lowBytes(rows, stride));
            lora.low(x, rows, low, stride);
            linear.few(y, x, w, bias, rows, low, stride);
        }
    }

    /** {@link Backend#products}. */
    boolean products(Tensor x, List<Product> products) {
        if (panels == null || !CudaPanels.takes(products)) {
            return false;
        }
        panels.products(x, products);
        for (int i = 0; i < products.size(); i++) {
            adapters(products.get(i).y(), x, products.get(i));
        }
        return true;
    }

    /** {@link Backend#gatedProduct} of x as it is. */
    boolean gatedProduct(Tensor x, Product gate, Product up, Activation f) {
        if (panels == null || !CudaPanels.takes(gate.w()) || !CudaPanels.takes(up.w())) {
            return false;
        }
        if (gate.lora() == null && up.lora() == null) {
            panels.gated(x, gate, up, f);
            return true;
        }
        panels.halves(x, gate, up);
        adapters(gate.y(), x, gate);
        adapters(up.y(), x, up);
        gated(gate.y(), gate.y(), up.y(), f);
        return true;
    }

    /** {@link Backend#gated}. */
    void gated(Tensor out, Tensor gate, Tensor up, Activation f) {
        int blocks = (int) Math.min(MOST_BLOCKS, CudaLinear.ceil(gate.elements(), THREADS));
        gated.args().pointer(out).pointer(gate).pointer(up).i64(gate.elements()).i32(f.ordinal()).run(blocks, 1, 1, THREADS, 0);
    }

    /** {@link Backend#addProduct}. */
    boolean addProduct(Tensor x, Tensor in, Product product) {
        if (panels == null || !CudaPanels.takes(product.w())) {
            return false;
        }
        panels.product(in, new Product(x, product.w(), product.bias(), null), null, x);
        adapters(x, in, product);
        return true;
    }

    /** {@link Backend#activatedLinear}. */
    boolean activatedLinear(Tensor y, Tensor x, Tensor w, Tensor bias, Activation f, Tensor residual) {
        if (panels == null || !CudaPanels.takes(w)) {
            return false;
        }
        panels.product(x, new Product(y, w, bias, null), f, residual);
        return true;
    }

    private void adapters(Tensor y, Tensor x, Product p) {
        if (p.lora() != null) {
            lora(y, x, p.lora());
        }
    }

    /** {@link Backend#loraFactor}. */
    void loraFactor(Tensor out, Tensor y, LoraFactor source, Tensor scale, Tensor shift) {
        boolean transposed = source.transposed();
        int blocks = (int) Math.min(MOST_BLOCKS, CudaLinear.ceil(out.elements(), THREADS));
        cut.args().pointer(out).i64(out.dim(0)).i64(out.dim(transposed ? 2 : 1)).i64(out.dim(transposed ? 1 : 2)).i64(y.address() + 4 * source.start())
                .i64(source.layerStride()).i64(source.rankStride()).i32(transposed ? 1 : 0).pointer(scale).pointer(shift).run(blocks, 1, 1, THREADS, 0);
    }

    /** {@link Backend#heads}, if there is one kernel for all of them; else false, and nothing was done. */
    boolean heads(List<Head> all) {
        return heads.run(all);
    }

    /** {@link Backend#encoderLayers}. */
    boolean encoderLayers(Tensor x, List<EncoderLayer> layers, EncoderRows rows) {
        return encoder != null && encoder.run(x, layers, rows);
    }

    /** {@link Backend#hyperBody}. */
    boolean hyperBody(Tensor x, TaskEncoder task, List<FeedForward> blocks) {
        return hyperBody != null && hyperBody.run(x, task, blocks);
    }
}
