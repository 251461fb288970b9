package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.sun.management.ThreadMXBean;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;

/** The native kernels of a decoding step, once compiled, leave nothing on the heap. */
class AllocationTest {
    private final KernelData data = new KernelData();

    @Test
    void aStepAllocatesNothing() {
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        Tensor x = data.normal(1, 64);
        Tensor q = KernelData.zeros(1, 64);
        Tensor angles = KernelData.zeros(1, 16);
        Tensor w = data.weights(DType.Q4_1, 64, 64);
        Tensor norm = data.normal(64);
        Tensor position = Tensor.ofInts(new int[] {3}, 1);
        Tensor invFreq = data.normal(8);
        Tensor keys = data.normal(20, 32);
        Tensor range = Tensor.ofInts(new int[] {0, 20}, 1, 2);
        var spec = new AttentionSpec(4, 2, 16, 0.25f, 0, 0);
        try (Backend cpu = Target.BASELINE.open(1)) {
            Runnable step = () -> {
                cpu.gather(q, 0, w, position, 1);
                cpu.rmsNorm(q, x, norm, 1e-5f, 0);
                cpu.linear(q, x, w, norm);
                cpu.ropeAngles(angles, position, invFreq, 1);
                cpu.rope(q, angles, false);
                cpu.attention(q, q, keys, keys, range, spec);
                cpu.gated(q, q, x, Activation.SILU);
                cpu.add(q, x, 1);
            };
            long left = Long.MAX_VALUE;
            for (int round = 0; round < 20 && left != 0; round++) {
                long before = threads.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < 5000; i++) {
                    step.run();
                }
                left = threads.getCurrentThreadAllocatedBytes() - before;
            }
            assertEquals(0, left, "bytes in 5000 steps");
        }
    }
}
