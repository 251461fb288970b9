package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.tensor.Elements;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.BiConsumer;

/**
 * Seeded inputs for kernel tests, and the comparison of others' kernels with {@link JavaBackend}, the oracle.
 * Sizes in the tests are odd, and on both sides of 4, 8 and 16 lanes, so that every vector loop has and has no remainder.
 */
final class KernelData {
    private final SplittableRandom random = new SplittableRandom(42);

    /** Runs {@code kernel} into a copy of {@code out} on both backends and compares. */
    static void compare(Target target, Tensor out, double tolerance, BiConsumer<Backend, Tensor> kernel) {
        try (Backend java = new JavaBackend(); Backend other = target.open(2)) {
            Tensor want = copy(out);
            Tensor got = copy(out);
            kernel.accept(java, want);
            kernel.accept(other, got);
            assertClose(want.toFloats(), got.toFloats(), tolerance);
        }
    }

    /** Runs a training kernel into copies of {@code outs} on both backends and compares; then again with one thread, for the same bits. */
    static void compareGradients(Target target, List<Tensor> outs, double tolerance, BiConsumer<Gradients, List<Tensor>> kernel) {
        List<Tensor> want = outs.stream().map(KernelData::copy).toList();
        List<Tensor> got = outs.stream().map(KernelData::copy).toList();
        List<Tensor> again = outs.stream().map(KernelData::copy).toList();
        try (Backend java = new JavaBackend(); Backend other = target.open(3); Backend alone = target.open(1)) {
            kernel.accept(other.gradients(), got);
            kernel.accept(alone.gradients(), again);
            kernel.accept(java.gradients(), want);
        }
        for (int i = 0; i < outs.size(); i++) {
            assertClose(want.get(i).toFloats(), got.get(i).toFloats(), tolerance);
            assertArrayEquals(got.get(i).toFloats(), again.get(i).toFloats(), "with one thread");
        }
    }

    /** {@code |got - want| <= tolerance * (|want| + 0.01 * the largest |want|)}; a NaN fails. */
    static void assertClose(float[] want, float[] got, double tolerance) {
        float largest = 0;
        for (float w : want) {
            largest = Math.max(largest, Math.abs(w));
        }
        for (int i = 0; i < want.length; i++) {
            int place = i;
            assertTrue(Math.abs((double) got[i] - want[i]) <= tolerance * (Math.abs(want[i]) + 0.01 * largest),
                    () -> "value " + place + " is " + got[place] + ", wanted " + want[place]);
        }
    }

    /** The norm of the difference, as a share of that of {@code want}, and ten times that for the worst element. */
    static void assertNear(float[] want, float[] got, double tolerance) {
        double norm = 0;
        double difference = 0;
        double worst = 0;
        for (int i = 0; i < want.length; i++) {
            double d = Math.abs((double) got[i] - want[i]);
            norm += (double) want[i] * want[i];
            difference += d * d;
            worst = Double.isNaN(d) ? d : Math.max(worst, d);
        }
        double error = Math.sqrt(difference / norm);
        double worstError = worst / Math.sqrt(norm / want.length);
        assertTrue(error <= tolerance && worstError <= 10 * tolerance, () -> "error " + error + ", of the worst element " + worstError + ", allowed " + tolerance);
    }

    static Tensor copy(Tensor t) {
        Tensor copy = Tensor.allocate(Arena.ofAuto(), t.dtype(), t.shape());
        MemorySegment.copy(t.data(), 0, copy.data(), 0, t.bytes());
        return copy;
    }

    static Tensor zeros(long... shape) {
        return Tensor.allocate(Arena.ofAuto(), DType.F32, shape);
    }

    /** {@link LoraRows#table} of these. */
    static Tensor table(List<LoraRows.Factor> factors) {
        Tensor table = Tensor.allocate(Arena.ofAuto(), DType.U8, (long) factors.size() * LoraRows.ENTRY_BYTES);
        for (int f = 0; f < factors.size(); f++) {
            long at = (long) f * LoraRows.ENTRY_BYTES;
            table.data().set(ValueLayout.JAVA_LONG_UNALIGNED, at, factors.get(f).a().address());
            table.data().set(ValueLayout.JAVA_LONG_UNALIGNED, at + 8, factors.get(f).b().address());
            table.data().set(ValueLayout.JAVA_INT_UNALIGNED, at + 16, factors.get(f).rank());
            table.data().set(ValueLayout.JAVA_FLOAT_UNALIGNED, at + 20, factors.get(f).scale());
        }
        return table;
    }

    /** {@link LoraRows.Routing#table} of these. */
    static Tensor pointers(List<Tensor> prototypes) {
        Tensor table = Tensor.allocate(Arena.ofAuto(), DType.U8, (long) prototypes.size() * LoraRows.Routing.ENTRY_BYTES);
        for (int i = 0; i < prototypes.size(); i++) {
            table.data().set(ValueLayout.JAVA_LONG_UNALIGNED, (long) i * LoraRows.Routing.ENTRY_BYTES, prototypes.get(i).address());
        }
        return table;
    }

    Tensor normal(long... shape) {
        Tensor t = zeros(shape);
        for (long i = 0; i < t.elements(); i++) {
            t.setFloat(i, (float) random.nextGaussian());
        }
        return t;
    }

    Tensor ints(int from, int to, long... shape) {
        Tensor t = Tensor.allocate(Arena.ofAuto(), DType.I32, shape);
        for (long i = 0; i < t.elements(); i++) {
            t.setInt(i, random.nextInt(from, to));
        }
        return t;
    }

    /** Random weights of any type, at an odd address, as in a mapped file. */
    Tensor weights(DType type, long... shape) {
        long bytes = type.bytes(Tensor.elements(shape));
        MemorySegment data = Arena.ofAuto().allocate(bytes + 1, 64).asSlice(1);
        long blocks = bytes / type.blockBytes();
        for (long b = 0; b < blocks; b++) {
            if (type.quantised()) {
                randomBlock(type, data, b * type.blockBytes());
            } else {
                set(type, data, b, (float) random.nextGaussian());
            }
        }
        return Tensor.of(type, data, shape);
    }

    /** Ranks 8, 1 and 19: rows with none, one and two of them, neighbours with the same and with others. */
    LoraRows adapters(int n, long in, long out, int headDim) {
        List<LoraRows.Factor> factors = new ArrayList<>();
        for (int rank : new int[] {8, 1, 19}) {
            Tensor a = normal(rank, in);
            factors.add(new LoraRows.Factor(a, normal(out, rank), rank, 0.03f));
        }
        Tensor slots = Tensor.allocate(Arena.ofAuto(), DType.I32, n, 2);
        for (int i = 0; i < n; i++) {
            int kind = i * 7 / n; // runs of rows, then single ones
            slots.setInt(2L * i, kind == 0 ? -1 : kind < 4 ? kind % 3 : i % 3);
            slots.setInt(2L * i + 1, i % 5 == 0 ? 1 : -1);
        }
        return new LoraRows(factors, table(factors), slots, normal(n, 2), headDim);
    }

    /** Those of some rows; null for null. */
    static LoraRows rows(LoraRows all, int from, int to) {
        return all == null ? null : new LoraRows(all.factors(), all.table(), all.slots().slice(from, to), all.weights().slice(from, to), all.headDim());
    }

    private static void set(DType type, MemorySegment data, long i, float value) {
        switch (type) {
            case F64 -> data.set(ValueLayout.JAVA_DOUBLE_UNALIGNED, i * 8, value);
            case F32 -> data.set(ValueLayout.JAVA_FLOAT_UNALIGNED, i * 4, value);
            case F16 -> data.set(ValueLayout.JAVA_SHORT_UNALIGNED, i * 2, Float.floatToFloat16(value));
            case BF16 -> data.set(ValueLayout.JAVA_SHORT_UNALIGNED, i * 2, Elements.floatToBfloat16(value));
            default -> throw new IllegalArgumentException(type.toString());
        }
    }

    /** Random bytes, drawn again until the block's values are of ordinary size: its scales are among the bytes. */
    private void randomBlock(DType type, MemorySegment data, long at) {
        float[] values = new float[type.blockSize()];
        float largest;
        do {
            byte[] bytes = new byte[type.blockBytes()];
            random.nextBytes(bytes);
            MemorySegment.copy(bytes, 0, data, ValueLayout.JAVA_BYTE, at, bytes.length);
            Elements.read(type, data, at, values, 0, values.length);
            largest = 0;
            for (float v : values) {
                largest = Float.isFinite(v) ? Math.max(largest, Math.abs(v)) : Float.POSITIVE_INFINITY;
            }
        } while (largest < 0.25 || largest > 16);
    }
}
