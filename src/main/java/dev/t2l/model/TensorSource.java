package dev.t2l.model;

import dev.t2l.tensor.Tensor;

/** Where the weights of a model come from that is made and not read: initial ones for training, random ones for benchmarks. */
@FunctionalInterface
public interface TensorSource {
    /**
     * One tensor, on the host, of any float or block-quantised type.
     *
     * @param name as in Hugging Face files: {@code encoder.layer.0.attn_ln.weight}
     */
    Tensor tensor(String name, long... shape);

    /** Whether the model has this tensor, where it may do without: biases of a decoder's projections. */
    default boolean has(String name) {
        return true;
    }
}
