package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A library's factors on the backend. Each is uploaded once if all of them together take no more than a backend keeps idle ({@link Backend#idleBytes}); else there
 * is room for one task's at a time.
 */
final class PlacedFactors implements AutoCloseable {
    private final OracleLibrary library;
    private final Backend backend;
    private final int places; // tasks that there is room for
    private final Weights tensors;
    private final BitSet there = new BitSet();
    private int last = -1; // where there is room for one

    PlacedFactors(OracleLibrary library, Backend backend) {
        this(library, backend, backend.idleBytes());
    }

    /** @param most bytes that all may take; else there is room for one */
    PlacedFactors(OracleLibrary library, Backend backend, long most) {
        this.library = library;
        this.backend = backend;
        this.places = places(library, most);
        this.tensors = table(library, places).carve(backend::allocate);
    }

    /** What it allocates. */
    static TensorTable plan(OracleLibrary library, Backend backend) {
        return table(library, places(library, backend.idleBytes()));
    }

    private static int places(OracleLibrary library, long most) {
        return table(library, library.size()).bytes() <= most ? library.size() : 1;
    }

    private static TensorTable table(OracleLibrary library, int places) {
        var table = new TensorTable();
        for (int place = 0; place < places; place++) {
            int at = place;
            library.factors(0).forEach((name, factor) -> table.add(name(at, name), DType.F32, factor.shape()));
        }
        return table;
    }

    private static String name(int place, String factor) {
        return place + "." + factor;
    }

    /** A task's factors by name; they may stay what they are only until another task's are asked for. */
    Map<String, Tensor> of(int task) {
        int place = places == 1 ? 0 : task;
        boolean missing = places == 1 ? last != task : !there.get(task);
        Map<String, Tensor> placed = new LinkedHashMap<>();
        library.factors(task).forEach((name, factor) -> {
            Tensor own = tensors.get(name(place, name));
            if (missing) {
                backend.upload(own, factor.data());
            }
            placed.put(name, own);
        });
        there.set(task);
        last = task;
        return placed;
    }

    /** That there is room for. */
    int tensors() {
        return tensors.tensors().size();
    }

    @Override
    public void close() {
        tensors.close();
    }
}
