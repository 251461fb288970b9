package dev.t2l.backend;

import dev.t2l.tensor.Tensor;

/**
 * Where the weights of one model are while kernels use them. A host backend leaves them in their mapped file; a device backend copies
 * them into few large allocations of its own, which live until this is closed. Closing twice is harmless.
 */
public interface Placement extends AutoCloseable {
    /** The tensor as kernels can use it. */
    Tensor place(Tensor host);

    @Override
    void close();
}
