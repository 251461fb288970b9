package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** rmsNorm, layerNorm, l2Normalise, against Java: rows with and without remainders, one row, and enough rows to be shared. */
@Tag("cuda")
class NormKernelsTest {
    private static final long[][] SHAPES = {{1, 1}, {3, 7}, {2, 64}, {1, 577}, {130, 577}};
    private static final List<DType> TYPES = List.of(DType.F32, DType.F16, DType.BF16, DType.F64);
    private final KernelData data = new KernelData();

    @ParameterizedTest
    @EnumSource(Target.class)
    void rmsNorm(Target target) {
        for (long[] shape : SHAPES) {
            for (DType type : TYPES) {
                Tensor w = data.weights(type, shape[1]);
                KernelData.compare(target, data.normal(shape), 2e-6, (b, x) -> b.rmsNorm(x, x, w, 1e-5f, 1));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void layerNorm(Target target) {
        for (long[] shape : SHAPES) {
            for (DType type : TYPES) {
                Tensor w = data.weights(type, shape[1]);
                Tensor bias = data.weights(type, shape[1]);
                Tensor offset = data.normal(shape);
                KernelData.compare(target, data.normal(shape), 2e-5, (b, x) -> {
                    b.add(x, offset, 3);
                    b.layerNorm(x, x, w, bias, 1e-5f);
                });
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void l2Normalise(Target target) {
        for (long[] shape : SHAPES) {
            KernelData.compare(target, data.normal(shape), 2e-6, (b, x) -> b.l2Normalise(x, 3));
        }
        KernelData.compare(target, KernelData.zeros(2, 9), 0, (b, x) -> b.l2Normalise(x, 3));
    }
}
