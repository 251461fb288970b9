package dev.t2l.train;

import dev.t2l.backend.Backend;
import dev.t2l.ops.Fill;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What training changes: values, gradients, and the optimiser's two moments, each one allocation on a backend with the same f32 tensors
 * at the same places. All zero at first.
 */
public final class Parameters implements AutoCloseable {
    private final Owned owned = new Owned();
    private final Backend backend;
    private final TensorTable table;
    private final Block values;
    private final Block gradients;
    private final Block firstMoments;
    private final Block secondMoments;

    /** One allocation: its tensors, and all of it as one vector, in which the gaps between tensors are zero. */
    record Block(Weights tensors, Tensor flat) implements AutoCloseable {
        static Block allocate(Backend backend, TensorTable table) {
            Memory[] memory = new Memory[1];
            Weights tensors = table.carve(bytes -> memory[0] = backend.allocate(bytes));
            long elements = table.bytes() / DType.F32.bytes(1);
            return new Block(tensors, Tensor.of(DType.F32, memory[0].segment(), elements));
        }

        @Override
        public void close() {
            tensors.close();
        }
    }

    /**
     * @param table f32 tensors, at least one
     * @throws IllegalArgumentException if a tensor is of another type
     */
    public Parameters(Backend backend, TensorTable table) {
        this.backend = backend;
        this.table = table;
        this.values = owned.add(() -> Block.allocate(backend, table));
        if (values.tensors().tensors().isEmpty() || values.tensors().tensors().values().stream().anyMatch(t -> t.dtype() != DType.F32)) {
            owned.close();
            throw new IllegalArgumentException("parameters must be F32, are " + values.tensors().tensors());
        }
        this.gradients = owned.add(() -> Block.allocate(backend, table));
        this.firstMoments = owned.add(() -> Block.allocate(backend, table));
        this.secondMoments = owned.add(() -> Block.allocate(backend, table));
    }

    /** The trained tensors. */
    public Weights values() {
        return values.tensors();
    }

    /** Their gradients, to which backward passes add. */
    public Weights gradients() {
        return gradients.tensors();
    }

    /** The optimiser's running mean of gradients. */
    public Weights firstMoments() {
        return firstMoments.tensors();
    }

    /** The optimiser's running mean of squared gradients. */
    public Weights secondMoments() {
        return secondMoments.tensors();
    }

    public Tensor value(String name) {
        return values().get(name);
    }

    public Tensor gradient(String name) {
        return gradients().get(name);
    }

    /** In the order of the table. */
    public List<String> names() {
        return List.copyOf(values().tensors().keySet());
    }

    /** Number of values. */
    public long count() {
        return values().tensors().values().stream().mapToLong(Tensor::elements).sum();
    }

    /** What each of the four allocations holds. */
    public TensorTable table() {
        return table;
    }

    public void zeroGradients() {
        Fill.forward(backend, gradients.flat(), 0);
    }

    /**
     * Copies host tensors of the same names into {@code to}, one of the four blocks.
     *
     * @param from F32, F16 or BF16; may have other tensors, too
     */
    public void upload(Weights to, Weights from) {
        to.tensors().forEach((name, tensor) -> {
            Tensor source = from.get(name);
            if (source.elements() != tensor.elements()) {
                throw new IllegalArgumentException("tensor '" + name + "': wanted " + tensor + ", found " + source);
            }
            backend.upload(tensor, source.dtype() == DType.F32 ? source.data().asSlice(0, source.bytes()) : Tensor.ofFloats(source.toFloats(), source.shape()).data());
        });
    }

    /** Host copies of one of the four blocks' tensors, which live as long as {@code arena}. */
    public Map<String, Tensor> download(Weights from, Arena arena) {
        Map<String, Tensor> copies = new LinkedHashMap<>();
        from.tensors().forEach((name, tensor) -> {
            Tensor copy = Tensor.allocate(arena, DType.F32, tensor.shape());
            backend.download(copy.data().asSlice(0, copy.bytes()), tensor);
            copies.put(name, copy);
        });
        return copies;
    }

    Backend backend() {
        return backend;
    }

    /** Values, gradients, first and second moments, each as one vector. */
    List<Tensor> flat() {
        return List.of(values.flat(), gradients.flat(), firstMoments.flat(), secondMoments.flat());
    }

    /** Frees all four; harmless when called twice. */
    @Override
    public void close() {
        owned.close();
    }
}
