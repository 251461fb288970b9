package dev.t2l.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * A typed, shaped, contiguous, row-major view of memory that somebody else owns.
 *
 * <p>The memory lies off the heap. On a device it is a zero-length segment that carries only an address and its owner's
 * scope, so the host cannot read it by mistake. Tensors are immutable; what they point at is not.
 */
public final class Tensor {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED;

    private final DType dtype;
    private final long[] shape;
    private final MemorySegment data;
    private final long elements;
    private final long bytes;

    private Tensor(DType dtype, MemorySegment data, long[] shape) {
        this.dtype = dtype;
        this.shape = shape;
        this.data = data;
        this.elements = elements(shape);
        this.bytes = dtype.bytes(elements);
    }

    /**
     * A view of {@code data}, from its first byte on.
     *
     * @throws IllegalArgumentException if a row is no whole number of blocks or host memory is too small
     */
    public static Tensor of(DType dtype, MemorySegment data, long... shape) {
        if (dtype.quantised() && (shape.length == 0 || shape[shape.length - 1] % dtype.blockSize() != 0)) {
            throw new IllegalArgumentException("a row of " + Arrays.toString(shape) + " is no whole number of " + dtype + " blocks of " + dtype.blockSize());
        }
        var tensor = new Tensor(dtype, data, shape.clone());
        if (data.byteSize() != 0 && data.byteSize() < tensor.bytes) {
            throw new IllegalArgumentException(dtype + Arrays.toString(shape) + " needs " + tensor.bytes + " bytes, memory has " + data.byteSize());
        }
        return tensor;
    }

    /** A zeroed host tensor in {@code arena}, aligned to 64 bytes. */
    public static Tensor allocate(Arena arena, DType dtype, long... shape) {
        return of(dtype, arena.allocate(Math.max(1, dtype.bytes(elements(shape))), 64), shape);
    }

    /** A host f32 tensor that holds a copy of {@code values} and lives as long as it is reachable. */
    public static Tensor ofFloats(float[] values, long... shape) {
        Tensor tensor = allocate(Arena.ofAuto(), DType.F32, shape);
        require(values.length == tensor.elements, values.length, shape);
        MemorySegment.copy(values, 0, tensor.data, F32, 0, values.length);
        return tensor;
    }

    /** A host i32 tensor that holds a copy of {@code values} and lives as long as it is reachable. */
    public static Tensor ofInts(int[] values, long... shape) {
        Tensor tensor = allocate(Arena.ofAuto(), DType.I32, shape);
        require(values.length == tensor.elements, values.length, shape);
        MemorySegment.copy(values, 0, tensor.data, I32, 0, values.length);
        return tensor;
    }

    private static void require(boolean fits, long got, long[] shape) {
        if (!fits) {
            throw new IllegalArgumentException("shape " + Arrays.toString(shape) + " wants " + elements(shape) + " values, got " + got);
        }
    }

    public DType dtype() {
        return dtype;
    }

    /** A copy of the shape. */
    public long[] shape() {
        return shape.clone();
    }

    public int rank() {
        return shape.length;
    }

    /** Size of dimension {@code i}; negative counts from the end. */
    public long dim(int i) {
        return shape[i < 0 ? shape.length + i : i];
    }

    /** Product of all dimensions but the last; 1 for a vector or a scalar. */
    public long rows() {
        return cols() == 0 ? 0 : elements / cols();
    }

    /** The last dimension; 1 for a scalar. */
    public long cols() {
        return shape.length == 0 ? 1 : shape[shape.length - 1];
    }

    public long elements() {
        return elements;
    }

    public long bytes() {
        return bytes;
    }

    public MemorySegment data() {
        return data;
    }

    /** Whether the host can read the elements: false if they lie on a device. */
    public boolean onHost() {
        return data.byteSize() >= bytes;
    }

    /**
     * The address of the first element.
     *
     * @throws IllegalStateException if the owner was closed
     */
    public long address() {
        if (!data.scope().isAlive()) {
            throw new IllegalStateException("use after close of the memory behind " + this);
        }
        return data.address();
    }

    /** The same elements in another shape. */
    public Tensor reshape(long... to) {
        require(elements(to) == elements, elements, to);
        return of(dtype, data, to);
    }

    /** The same memory from its start, in another shape of at most as many elements. */
    public Tensor prefix(long... to) {
        if (elements(to) > elements) {
            throw new IllegalArgumentException(this + " has no room for " + Arrays.toString(to));
        }
        return of(dtype, data, to);
    }

    /** Entries {@code from} (inclusive) to {@code to} (exclusive) of the first dimension. */
    public Tensor slice(long from, long to) {
        if (shape.length == 0 || from < 0 || to < from || to > shape[0]) {
            throw new IndexOutOfBoundsException("[" + from + ", " + to + ") of " + this);
        }
        long stride = shape[0] == 0 ? 0 : bytes / shape[0];
        long[] part = shape.clone();
        part[0] = to - from;
        return of(dtype, at(from * stride, (to - from) * stride), part);
    }

    /** Entry {@code i} of the first dimension, with one dimension less. */
    public Tensor get(long i) {
        Tensor one = slice(i, i + 1);
        return of(dtype, one.data, Arrays.copyOfRange(shape, 1, shape.length));
    }

    private MemorySegment at(long offset, long size) {
        if (data.byteSize() != 0) {
            return data.asSlice(offset, size);
        }
        return data.reinterpret(offset).asSlice(offset, 0); // device address: stays zero-length
    }

    /** Element {@code i} of a host f32 tensor. */
    public float getFloat(long i) {
        return data.get(F32, i * 4);
    }

    /** Sets element {@code i} of a host f32 tensor. */
    public void setFloat(long i, float value) {
        data.set(F32, i * 4, value);
    }

    /** Element {@code i} of a host i32 tensor. */
    public int getInt(long i) {
        return data.get(I32, i * 4);
    }

    /** Sets element {@code i} of a host i32 tensor. */
    public void setInt(long i, int value) {
        data.set(I32, i * 4, value);
    }

    /** All elements of a host tensor of any float or block-quantised type, as f32. */
    public float[] toFloats() {
        return Elements.toFloats(this);
    }

    /** Number of elements of a shape; {@link ArithmeticException} when it does not fit a long. */
    public static long elements(long... shape) {
        long n = 1;
        for (long d : shape) {
            if (d < 0) {
                throw new IllegalArgumentException("negative dimension in " + Arrays.toString(shape));
            }
            n = Math.multiplyExact(n, d);
        }
        return n;
    }

    @Override
    public String toString() {
        return dtype + Arrays.toString(shape);
    }
}
