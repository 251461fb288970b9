package dev.t2l.backend;

/** What the views of one {@link CudaBackend} have in common: its device, its memory and its kernels. */
final class CudaKernels {
    final CudaDevice device = CudaDevice.open();
    final CudaSlabs slabs = new CudaSlabs(device);
    final CudaAttention attention = new CudaAttention(device);
    final CudaProducts products = new CudaProducts(device);
    final CudaRope rope = new CudaRope(device);
    final CudaSample sample = new CudaSample(device);
    final CudaFunction gather = device.module("gather").function("gather");
    final CudaFunction scatter = device.module("scatter").function("scatter");
    final CudaFunction meanRows = device.module("meanrows").function("mean_rows");
    final CudaFunction add = device.module("add").function("add");
    final CudaFunction softcap = device.module("activation").function("softcap");
    final CudaFunction rmsNorm = device.module("rmsnorm").function("rms_norm");
    final CudaFunction layerNorm = device.module("layernorm").function("layer_norm");
    final CudaFunction l2Normalise = device.module("l2normalise").function("l2_normalise");
    final CudaBackend decoding = new CudaBackend(this, CudaBackend.View.DECODING);
    final CudaBackend prefilling = new CudaBackend(this, CudaBackend.View.PREFILLING);
    volatile boolean closed;
    private CudaGradients.Kernels gradients;
    private CudaMixed.Kernels mixed;

    /** Loaded when first wanted: who only infers needs none. */
    synchronized CudaGradients.Kernels gradients() {
        if (gradients == null) {
            gradients = new CudaGradients.Kernels(device);
        }
        return gradients;
    }

    synchronized CudaMixed.Kernels mixed() {
        if (mixed == null) {
            mixed = new CudaMixed.Kernels(device, gradients().lora());
        }
        return mixed;
    }
}
