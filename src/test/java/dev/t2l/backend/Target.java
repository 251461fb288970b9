package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.t2l.EachBackend;

/** Whose kernels a test holds against {@link JavaBackend}, the oracle: each native instruction set, and the GPU with each kind of products. */
enum Target {
    BASELINE(Isa.BASELINE), AVX2(Isa.AVX2), AVX512(Isa.AVX512), CUDA(null), CUDA_DECODING(null), CUDA_PREFILLING(null);

    private final Isa isa;

    Target(Isa isa) {
        this.isa = isa;
    }

    /**
     * The backend, for host tensors. The test is skipped with the reason where this machine has no such thing, unless T2L_REQUIRE
     * names cuda.
     *
     * @param threads of native kernels
     */
    Backend open(int threads) {
        try {
            if (isa != null) {
                return CpuBackend.open(isa, threads);
            }
            Backend cuda = HostTensors.of(CudaBackend.open());
            return this == CUDA ? cuda : this == CUDA_DECODING ? cuda.decoding() : cuda.prefilling();
        } catch (BackendUnavailableException e) {
            if (isa == null && EachBackend.required("cuda")) {
                fail(e);
            }
            return abort(e.getMessage());
        }
    }
}
