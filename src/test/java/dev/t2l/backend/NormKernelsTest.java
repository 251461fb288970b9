package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** rmsNorm, layerNorm, l2Normalise, against Java: rows with and without remainders, one row, and enough rows to be shared. */
@Tag("cuda")
class NormKernelsTest {
    private static final long[][] SHAPES = {{1, 1}, {3, 7}, {2, 64}, {1, 577}, {130, 577}, {2, 1000}, {1, 4096}, {3, 4100}};
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

    /** The bits of add and layerNorm, for one row as for many. */
    @ParameterizedTest
    @EnumSource(Target.class)
    void addLayerNorm(Target target) {
        for (long[] shape : SHAPES) {
            Tensor w = data.weights(DType.F32, shape[1]);
            Tensor bias = data.weights(DType.BF16, shape[1]);
            Tensor branch = data.normal(shape);
            Tensor x = data.normal(shape);
            Tensor want = KernelData.copy(x);
            Tensor got = KernelData.copy(x);
            Tensor last = KernelData.copy(x).slice(shape[0] - 1, shape[0]);
            try (Backend backend = target.open(2)) {
                backend.add(want, branch, 1);
                backend.layerNorm(want, want, w, bias, 1e-5f);
                backend.addLayerNorm(got, branch, w, bias, 1e-5f);
                backend.addLayerNorm(last, branch.slice(shape[0] - 1, shape[0]), w, bias, 1e-5f);
            }
            assertArrayEquals(want.toFloats(), got.toFloats());
            assertArrayEquals(want.slice(shape[0] - 1, shape[0]).toFloats(), last.toFloats());
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
