package dev.t2l.backend;

import dev.t2l.tensor.Tensor;

/** The products of {@link CudaBackend}: linear, lora, loraFactor. */
final class CudaProducts {
    CudaProducts(CudaDevice device) {
    }

    /** {@link Backend#linear}; {@code decoding} picks the kernels for few rows. */
    void linear(Tensor y, Tensor x, Tensor w, Tensor bias, boolean decoding) {
    }

    /** {@link Backend#lora}. */
    void lora(Tensor y, Tensor x, LoraRows rows) {
    }

    /** {@link Backend#loraLinear}. */
    void loraLinear(Tensor y, Tensor x, Tensor w, Tensor bias, LoraRows rows, boolean decoding) {
    }

    /** {@link Backend#loraFactor}. */
    void loraFactor(Tensor out, Tensor y, LoraFactor source, Tensor scale, Tensor shift) {
    }
}
