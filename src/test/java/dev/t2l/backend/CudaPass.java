package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.t2l.EachBackend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import dev.t2l.tensor.Weights;

/**
 * A small pass on the GPU that has all kinds of steps: an upload from pinned memory, products, attention, which needs scratch memory,
 * kernels that work in place, and a copy.
 */
final class CudaPass implements AutoCloseable {
    private static final int N = 64;

    private final Backend cuda;
    private final Tensor w;
    private final Tensor keys;
    private final Tensor range;
    private final Memory pinned;
    private final Tensor input;
    private final Weights memory;
    final Tensor out;

    private CudaPass(Backend cuda, Tensor w, Tensor keys, Tensor range) {
        this.cuda = cuda;
        this.w = w;
        this.keys = keys;
        this.range = range;
        pinned = cuda.pinned(4 * N);
        input = Tensor.of(DType.F32, pinned.segment(), 1, N);
        memory = new TensorTable().add("x", DType.F32, 1, N).add("y", DType.F32, 1, N).add("out", DType.F32, 1, N).carve(cuda::allocate);
        out = memory.get("out");
    }

    /** The backend; the test is skipped with the reason where there is no GPU, unless T2L_REQUIRE names cuda. */
    static Backend open() {
        try {
            return CudaBackend.open();
        } catch (BackendUnavailableException e) {
            if (EachBackend.required("cuda")) {
                fail(e);
            }
            return abort(e.getMessage());
        }
    }

    static CudaPass of(Backend cuda) {
        var data = new KernelData();
        Tensor w = cuda.place(data.normal(N, N));
        Tensor keys = cuda.place(data.normal(300, 32));
        return new CudaPass(cuda, w, keys, cuda.place(Tensor.ofInts(new int[] {0, 300}, 1, 2)));
    }

    /** Another one with the same weights. */
    CudaPass beside() {
        return new CudaPass(cuda, w, keys, range);
    }

    /** Writes the input that a seed stands for; nothing may be under way. */
    void set(int seed) {
        for (int i = 0; i < N; i++) {
            input.setFloat(i, (float) Math.sin(seed * 0.7 + i));
        }
    }

    void run() {
        Backend few = cuda.decoding();
        Tensor x = memory.get("x");
        Tensor y = memory.get("y");
        cuda.upload(x, pinned.segment());
        few.linear(y, x, w, null);
        few.attention(x, y, keys, keys, range, new AttentionSpec(4, 2, 16, 0.25f, 0, 0));
        cuda.linear(y, x, w, null);
        few.add(y, x, 0.5f);
        few.softcap(y, 3);
        cuda.copy(out, y);
    }

    float[] result() {
        return EachBackend.floats(cuda, out);
    }

    /** Results for the seeds from 0 on. */
    float[][] results(int inputs) {
        float[][] results = new float[inputs][];
        for (int i = 0; i < inputs; i++) {
            set(i);
            run();
            results[i] = result();
        }
        return results;
    }

    @Override
    public void close() {
        memory.close();
        pinned.close();
    }
}
