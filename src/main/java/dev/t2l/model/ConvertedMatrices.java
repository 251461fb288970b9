package dev.t2l.model;

import dev.t2l.backend.Placement;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Elements;
import dev.t2l.tensor.Quantise;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;

/**
 * Places a model's matrices in one type, whatever their file has, one matrix at a time; vectors (norms, biases, frequencies) stay as they
 * are. Owns the converted matrices that a backend uses where they are.
 */
final class ConvertedMatrices implements Placement {
    private final Placement target;
    private final DType dtype;
    private final List<Arena> kept = new ArrayList<>();

    /**
     * @param target closed with this
     * @throws IllegalArgumentException if the type is not F32, F16 or BF16
     */
    ConvertedMatrices(Placement target, DType dtype) {
        if (dtype != DType.F32 && dtype != DType.F16 && dtype != DType.BF16) {
            throw new IllegalArgumentException("matrices are converted to F32, F16 or BF16 when they are loaded, not to " + dtype);
        }
        this.target = target;
        this.dtype = dtype;
    }

    @Override
    public synchronized Tensor place(Tensor host) {
        if (host.rank() != 2 || host.dtype() == dtype) {
            return target.place(host);
        }
        Arena arena = Arena.ofShared();
        kept.add(arena);
        Tensor converted = converted(arena, host);
        Tensor placed = target.place(converted);
        if (placed != converted) {
            kept.removeLast().close();
        }
        return placed;
    }

    private Tensor converted(Arena arena, Tensor from) {
        Tensor to = Tensor.allocate(arena, dtype, from.shape());
        int cols = Math.toIntExact(from.cols());
        LongStream.range(0, from.rows()).parallel().forEach(r -> {
            float[] row = new float[cols];
            Elements.readRow(from, r, row, 0);
            ByteBuffer there = to.slice(r, r + 1).data().asByteBuffer();
            Quantise.row(dtype, row, 0, cols, there);
        });
        return to;
    }

    @Override
    public synchronized void close() {
        target.close();
        kept.forEach(Arena::close);
        kept.clear();
    }
}
