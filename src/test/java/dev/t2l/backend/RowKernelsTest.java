package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** gather, scatter, meanRows, against Java; and indices outside their table, which must throw. */
@Tag("cuda")
class RowKernelsTest {
    private final KernelData data = new KernelData();

    @ParameterizedTest
    @EnumSource(Target.class)
    void gathersEveryType(Target target) {
        for (DType type : DType.values()) {
            if (type.quantised() || List.of(DType.F64, DType.F32, DType.F16, DType.BF16).contains(type)) {
                long d = type.quantised() ? type.blockSize() * 3L : 37;
                Tensor table = data.weights(type, 11, d);
                Tensor ids = data.ints(0, 11, 6);
                KernelData.compare(target, data.normal(6, d + 9), 1e-6, (b, out) -> b.gather(out, 4, table, ids, 1.5f));
            }
        }
        Tensor table = data.normal(300, 401);
        Tensor ids = data.ints(0, 300, 250);
        KernelData.compare(target, data.normal(250, 401), 0, (b, out) -> b.gather(out, 0, table, ids, 1));
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void scatters(Target target) {
        Tensor x = data.normal(3, 19);
        Tensor index = Tensor.ofInts(new int[] {4, 0, 2}, 3);
        KernelData.compare(target, data.normal(5, 19), 0, (b, out) -> b.scatter(out, x, index));
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void averagesRows(Target target) {
        Tensor x = data.normal(9, 131);
        Tensor ranges = Tensor.ofInts(new int[] {0, 4, 4, 5, 2, 9}, 3, 2);
        KernelData.compare(target, KernelData.zeros(3, 131), 1e-6, (b, out) -> b.meanRows(out, x, ranges));
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void refusesIndicesOutsideTheirTable(Target target) {
        Tensor table = data.normal(4, 8);
        Tensor out = KernelData.zeros(1, 8);
        try (Backend other = target.open(1)) {
            for (int bad : new int[] {-1, 4}) {
                Tensor id = Tensor.ofInts(new int[] {bad}, 1);
                assertThrows(IndexOutOfBoundsException.class, () -> other.gather(out, 0, table, id, 1));
                assertThrows(IndexOutOfBoundsException.class, () -> other.scatter(table, out, id));
            }
            for (int[] bad : new int[][] {{-1, 2}, {2, 2}, {3, 5}}) {
                Tensor range = Tensor.ofInts(bad, 1, 2);
                assertThrows(IndexOutOfBoundsException.class, () -> other.meanRows(out, table, range));
                assertThrows(IndexOutOfBoundsException.class, () -> other.attention(out, out, table, table, range, new AttentionSpec(1, 1, 8, 1, 0, 0)));
            }
        }
    }
}
