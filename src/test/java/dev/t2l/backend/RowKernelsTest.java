package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** gather, scatter, meanRows, against Java; and indices outside their table, which must throw. */
class RowKernelsTest {
    private final KernelData data = new KernelData();

    @ParameterizedTest
    @EnumSource(Isa.class)
    void gathersEveryType(Isa isa) {
        for (DType type : DType.values()) {
            if (type.quantised() || List.of(DType.F64, DType.F32, DType.F16, DType.BF16).contains(type)) {
                long d = type.quantised() ? type.blockSize() * 3L : 37;
                Tensor table = data.weights(type, 11, d);
                Tensor ids = data.ints(0, 11, 6);
                KernelData.compare(isa, data.normal(6, d + 9), 1e-6, (b, out) -> b.gather(out, 4, table, ids, 1.5f));
            }
        }
        Tensor table = data.normal(300, 401);
        Tensor ids = data.ints(0, 300, 250);
        KernelData.compare(isa, data.normal(250, 401), 0, (b, out) -> b.gather(out, 0, table, ids, 1));
    }

    @ParameterizedTest
    @EnumSource(Isa.class)
    void scatters(Isa isa) {
        Tensor x = data.normal(3, 19);
        Tensor index = Tensor.ofInts(new int[] {4, 0, 2}, 3);
        KernelData.compare(isa, data.normal(5, 19), 0, (b, out) -> b.scatter(out, x, index));
    }

    @ParameterizedTest
    @EnumSource(Isa.class)
    void averagesRows(Isa isa) {
        Tensor x = data.normal(9, 131);
        Tensor ranges = Tensor.ofInts(new int[] {0, 4, 4, 5, 2, 9}, 3, 2);
        KernelData.compare(isa, KernelData.zeros(3, 131), 1e-6, (b, out) -> b.meanRows(out, x, ranges));
    }

    @ParameterizedTest
    @EnumSource(Isa.class)
    void refusesIndicesOutsideTheirTable(Isa isa) {
        Tensor table = data.normal(4, 8);
        Tensor out = KernelData.zeros(1, 8);
        try (Backend cpu = KernelData.cpu(isa, 1)) {
            for (int bad : new int[] {-1, 4}) {
                Tensor id = Tensor.ofInts(new int[] {bad}, 1);
                assertThrows(IndexOutOfBoundsException.class, () -> cpu.gather(out, 0, table, id, 1));
                assertThrows(IndexOutOfBoundsException.class, () -> cpu.scatter(table, out, id));
            }
            for (int[] bad : new int[][] {{-1, 2}, {2, 2}, {3, 5}}) {
                Tensor range = Tensor.ofInts(bad, 1, 2);
                assertThrows(IndexOutOfBoundsException.class, () -> cpu.meanRows(out, table, range));
                assertThrows(IndexOutOfBoundsException.class, () -> cpu.attention(out, out, table, table, range, new AttentionSpec(1, 1, 8, 1, 0, 0)));
            }
        }
    }
}
