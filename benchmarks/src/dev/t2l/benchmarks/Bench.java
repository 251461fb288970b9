package dev.t2l.benchmarks;

import dev.t2l.backend.Backend;
import dev.t2l.bench.RandomWeights;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** A backend with seeded random tensors, and the comparison of its results with those of plain Java. */
final class Bench implements AutoCloseable {
    private final Random random = new Random(1);
    private final Arena arena = Arena.ofShared();
    private final RandomWeights weights;
    private final List<Memory> memory = new ArrayList<>();
    final Backend backend;

    /** @param name as for {@link Backend#open}, or {@code best} */
    Bench(String name) {
        backend = name.equals("best") ? Backend.best() : Backend.open(name);
        System.out.println("# Backend: " + backend.description());
        weights = new RandomWeights(backend);
    }

    /** F32 values from a normal distribution. */
    Tensor gaussian(long... shape) {
        return backend.place(weights.gaussian(shape));
    }

    /** Random weights in a type that {@link RandomWeights} makes. */
    Tensor weights(DType type, long... shape) {
        return backend.place(weights.matrix(type, shape));
    }

    /** I32 values in [0, bound). */
    Tensor indices(int bound, long... shape) {
        Tensor host = Tensor.allocate(arena, DType.I32, shape);
        for (long i = 0; i < host.elements(); i++) {
            host.setInt(i, random.nextInt(bound));
        }
        return backend.place(host);
    }

    /** Zeroed memory of the backend. */
    Tensor zeros(long... shape) {
        Memory owned = backend.allocate(DType.F32.bytes(Tensor.elements(shape)));
        memory.add(owned);
        return Tensor.of(DType.F32, owned.segment(), shape);
    }

    /** The tensor where plain Java can use it. */
    Tensor host(Tensor tensor) {
        return backend.host(arena, tensor);
    }

    float[] floats(Tensor tensor) {
        return host(tensor).toFloats();
    }

    /** Fails unless both results agree to {@code tolerance} times the largest magnitude; a NaN fails. */
    static void check(float[] want, float[] got, double tolerance) {
        double largest = 0;
        double error = 0;
        for (int i = 0; i < want.length; i++) {
            largest = Math.max(largest, Math.abs(want[i]));
            error = Math.max(error, Math.abs(want[i] - got[i]));
        }
        if (want.length != got.length || !(error <= tolerance * largest)) {
            throw new IllegalStateException("wrong result: error " + error + " of values up to " + largest);
        }
    }

    @Override
    public void close() {
        memory.forEach(Memory::close);
        backend.close();
        weights.close();
        arena.close();
    }
}
