package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.t2l.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * lora and loraFactor against Java: ranks below, at and above a vector, rows with no, one and several adapters, interleaved
 * heads, few rows whose outputs threads share, and many rows.
 */
@Tag("cuda")
class LoraKernelsTest {
    private final KernelData data = new KernelData();

    private LoraRows rows(int n, long in, long out, int headDim) {
        List<LoraRows.Factor> factors = new ArrayList<>();
        for (int rank : new int[] {1, 3, 8, 16, 37}) {
            factors.add(new LoraRows.Factor(data.normal(rank, in), data.normal(out, rank), rank, 0.25f));
        }
        Tensor weights = data.normal(n, 3);
        weights.setFloat(0, 0); // the first row's first adapter is off
        return new LoraRows(factors, KernelData.table(factors), data.ints(-1, factors.size(), n, 3), weights, headDim);
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void lora(Target target) {
        for (long[] shape : new long[][] {{1, 17, 22}, {5, 64, 44}, {1, 1030, 4400}, {40, 301, 220}}) {
            for (int headDim : new int[] {0, 22}) {
                int n = (int) shape[0];
                Tensor x = data.normal(n, shape[1]);
                LoraRows rows = rows(n, shape[1], shape[2], headDim);
                KernelData.compare(target, data.normal(n, shape[2]), 1e-4, (b, y) -> b.lora(y, x, rows));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void rowsDoNotDependOnBatchOrThreads(Target target) {
        int n = 33;
        int out = 4400;
        Tensor x = data.normal(n, 300);
        LoraRows all = rows(n, 300, out, 0);
        Tensor want = KernelData.zeros(n, out);
        try (Backend other = target.open(1)) {
            other.lora(want, x, all);
        }
        try (Backend other = target.open(4)) {
            for (int i = 0; i < n; i++) {
                Tensor y = KernelData.zeros(1, out);
                other.lora(y, x.slice(i, i + 1), new LoraRows(all.factors(), all.table(), all.slots().slice(i, i + 1), all.weights().slice(i, i + 1), 0));
                assertArrayEquals(Arrays.copyOfRange(want.toFloats(), i * out, (i + 1) * out), y.toFloats(), "row " + i);
            }
            Tensor y = KernelData.zeros(n, out);
            other.lora(y, x, all);
            assertArrayEquals(want.toFloats(), y.toFloats());
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void refusesASlotOutsideTheTable(Target target) {
        LoraRows rows = rows(1, 4, 4, 0);
        rows.slots().setInt(0, 5);
        Tensor y = KernelData.zeros(1, 4);
        try (Backend other = target.open(1)) {
            assertThrows(IndexOutOfBoundsException.class, () -> other.lora(y, y, rows));
        }
    }

    @ParameterizedTest
    @EnumSource(Target.class)
    void loraFactor(Target target) {
        Tensor y = data.normal(3 * 500 + 11);
        for (boolean transposed : new boolean[] {false, true}) {
            long[] shape = transposed ? new long[] {3, 53, 7} : new long[] {3, 7, 53};
            Tensor scale = data.normal(shape);
            Tensor shift = data.normal(shape);
            var source = new LoraFactor(11, 500, 60, transposed);
            KernelData.compare(target, KernelData.zeros(shape), 1e-6, (b, out) -> b.loraFactor(out, y, source, scale, shift));
            KernelData.compare(target, KernelData.zeros(shape), 0, (b, out) -> b.loraFactor(out, y, source, null, null));
        }
    }
}
