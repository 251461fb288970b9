package dev.t2l.backend;

import dev.t2l.tensor.Tensor;

/** Launches of {@code cuda/sample.cu}. */
final class CudaSample {
    /** The kernel's sizes: the largest vocabulary, the blocks of a row, their threads. */
    private static final int VOCABULARY = 1 << 20;
    private static final int BLOCKS = 8;
    private static final int THREADS = 1024;

    private final CudaFunction sample;

    CudaSample(CudaDevice device) {
        sample = device.module("sample").function("sample");
    }

    /** {@link Backend#sample}. */
    void run(Tensor tokens, Tensor logits, Tensor choices) {
        if (logits.cols() > VOCABULARY) {
            throw new IllegalArgumentException("sample: the CUDA kernel chooses among up to " + VOCABULARY + " tokens, got " + logits);
        }
        sample.args().pointer(tokens).pointer(logits).i64(logits.cols()).pointer(choices).run(BLOCKS, Math.toIntExact(logits.rows()), 1, THREADS, 0);
    }
}
