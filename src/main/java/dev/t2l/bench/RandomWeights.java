package dev.t2l.bench;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Placement;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.LongStream;

/**
 * Random weights, made as fast as memory is copied: of each type one stretch of random blocks is made, and every tensor is a part of it that
 * begins elsewhere. No two tensors share the memory in which they are used, or caches would serve what memory has to: where weights stay on the
 * host, each tensor is a copy; a device copies them anyway.
 *
 * <p>The same calls in the same order give the same weights on every backend. Not thread-safe. Tensors live until this is closed; on a device, until their placement is.
 */
public final class RandomWeights implements AutoCloseable {
    /** Bytes made at random; beyond these they repeat. */
    private static final long MADE = 32 << 20;
    private static final long STEP = 4099;
    private static final long PIECE = 8 << 20;

    private final Arena arena = Arena.ofShared();
    private final Map<DType, MemorySegment> stretches = new EnumMap<>(DType.class);
    private final SplittableRandom random = new SplittableRandom(1);
    private final boolean copied;
    private long next;

    /** @param backend where they are to be used */
    public RandomWeights(Backend backend) {
        try (Placement probe = backend.placement()) {
            copied = !probe.place(Tensor.ofFloats(new float[1], 1)).onHost();
        }
    }

    /**
     * Weights of mean 0 and standard deviation 0.02.
     *
     * @param type F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q4_K or Q6_K
     */
    public Tensor matrix(DType type, long... shape) {
        long bytes = type.bytes(Tensor.elements(shape));
        long slack = slack(bytes) / type.blockBytes();
        MemorySegment from = stretch(type, bytes).asSlice(next++ * STEP % slack * type.blockBytes(), bytes);
        if (copied) {
            return Tensor.of(type, from, shape);
        }
        Tensor own = Tensor.allocate(arena, type, shape);
        LongStream.range(0, (bytes + PIECE - 1) / PIECE).parallel().forEach(piece -> {
            long at = piece * PIECE;
            MemorySegment.copy(from, at, own.data(), at, Math.min(PIECE, bytes - at));
        });
        return own;
    }

    /** f32 values near {@code centre}: norms and biases. */
    public Tensor vector(float centre, long... shape) {
        Tensor vector = Tensor.allocate(arena, DType.F32, shape);
        for (long i = 0; i < vector.elements(); i++) {
            vector.setFloat(i, centre + (float) (0.02 * (random.nextDouble() - 0.5)));
        }
        return vector;
    }

    /** A parameter by its name and shape: a matrix of this type, or the f32 weight (near 1) or bias (near 0) of a norm or a product. */
    Tensor parameter(String name, DType type, long... shape) {
        return shape.length > 1 ? matrix(type, shape) : vector(name.endsWith(".weight") ? 1 : 0, shape);
    }

    /** Values of a normal distribution, f32: activations. */
    public Tensor gaussian(long... shape) {
        Tensor values = Tensor.allocate(arena, DType.F32, shape);
        for (long i = 0; i < values.elements(); i++) {
            values.setFloat(i, (float) random.nextGaussian());
        }
        return values;
    }

    /** Room to begin elsewhere. */
    private static long slack(long bytes) {
        return Math.clamp(bytes / 4, 1 << 16, 16 << 20);
    }

    private MemorySegment stretch(DType type, long bytes) {
        MemorySegment there = stretches.get(type);
        long wanted = (bytes + slack(bytes)) / type.blockBytes() * type.blockBytes();
        if (there != null && there.byteSize() >= wanted) {
            return there;
        }
        MemorySegment stretch = arena.allocate(wanted, 64);
        long made = Math.min(wanted, MADE / type.blockBytes() * type.blockBytes());
        RandomBlocks.fill(type, stretch, made / type.blockBytes(), random.nextLong());
        while (made < wanted) {
            long more = Math.min(made, wanted - made);
            MemorySegment.copy(stretch, 0, stretch, made, more);
            made += more;
        }
        stretches.put(type, stretch);
        return stretch;
    }

    @Override
    public void close() {
        arena.close();
    }
}
