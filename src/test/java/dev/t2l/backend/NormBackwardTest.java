package dev.t2l.backend;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** rmsNorm and layerNorm backwards against Java: rows with and without remainders, one row, and enough rows to be shared. */
@Tag("cuda")
class NormBackwardTest {
    private static final long[][] SHAPES = {{1, 2}, {3, 7}, {2, 64}, {1, 577}, {130, 577}};
    private static final List<DType> TYPES = List.of(DType.F32, DType.F16, DType.BF16, DType.F64);
    private final KernelData data = new KernelData();

    @ParameterizedTest
    @EnumSource(Target.class)
    void rmsNorm(Target target) {
        for (long[] shape : SHAPES) {
            for (DType type : TYPES) {
                var norm = new Norm(data.weights(type, shape[1]), 1e-5f, 1);
                Tensor x = data.normal(shape);
                Tensor dy = data.normal(shape);
                for (boolean add : new boolean[] {false, true}) {
                    KernelData.compareGradients(target, List.of(data.normal(shape)), 1e-4,
                            (g, out) -> g.rmsNormBackward(out.getFirst(), dy, x, norm, add));
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void layerNorm(Target target) {
        for (long[] shape : SHAPES) {
            for (DType type : TYPES) {
                Tensor w = data.weights(type, shape[1]);
                Tensor x = data.normal(shape);
                Tensor dy = data.normal(shape);
                for (boolean add : new boolean[] {false, true}) {
                    KernelData.compareGradients(target, List.of(data.normal(shape), data.normal(shape[1]), data.normal(shape[1])), 1e-4,
                            (g, out) -> g.layerNormBackward(out.get(0), out.get(1), out.get(2), dy, x, w, 1e-5f, add));
                    KernelData.compareGradients(target, List.of(data.normal(shape)), 1e-4,
                            (g, out) -> g.layerNormBackward(out.getFirst(), null, null, dy, x, w, 1e-5f, add));
                }
            }
        }
    }
}
