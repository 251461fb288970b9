package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.t2l.tensor.DType;
import dev.t2l.tensor.Elements;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Bodies of hypernetworks against Java's plain operations: the shape that the GPU has one launch for (latent 128, 512 inside, up to four blocks, the
 * last as wide as 512), and others; rows of one cluster, not whole, and of several.
 */
@Tag("cuda")
class HyperBodyTest {
    private static final float EPS = 1e-5f;
    private final KernelData data = new KernelData();

    /** @param task width of the embeddings; 0 for no task */
    private record Shape(DType type, int latent, int inner, int blocks, int out, int task) {
    }

    private record Network(List<FeedForward> blocks, TaskEncoder task) {
        /** The last rows of the network's n, to be computed alone. */
        float[] run(Backend b, Tensor input, int from, int to) {
            Tensor x = KernelData.copy(input.slice(from, to));
            List<FeedForward> some = blocks.stream().map(f -> new FeedForward(f.norm(), part(f.normed(), to - from), part(f.up(), to - from), part(f.down(), to - from), f.residual())).toList();
            b.hyperBody(x, task == null ? null : new TaskEncoder(task.embeddings(), task.linear(), task.norm(), task.normed(), task.taskOfRow().slice(from, to)), some);
            return some.getLast().down().y().toFloats();
        }

        private static Tensor part(Tensor t, int n) {
            return t == null ? null : KernelData.zeros(n, t.cols());
        }

        private static Product part(Product p, int n) {
            return new Product(part(p.y(), n), p.w(), p.bias(), null);
        }
    }

    private Network network(Shape s, int n) {
        List<FeedForward> blocks = new ArrayList<>();
        for (int i = 0; i < s.blocks(); i++) {
            boolean last = i + 1 == s.blocks();
            int out = last ? s.out() : s.latent();
            AffineNorm norm = i == 0 ? null : norm(s.latent());
            blocks.add(new FeedForward(norm, norm == null ? null : KernelData.zeros(n, s.latent()), product(s.type(), n, s.inner(), s.latent()),
                    product(s.type(), n, out, s.inner()), !last && i > 0));
        }
        TaskEncoder task = s.task() == 0 ? null : new TaskEncoder(data.normal(3, s.task()), product(s.type(), 3, s.latent() / 2, s.task()), norm(s.latent() / 2),
                KernelData.zeros(3, s.latent() / 2), data.ints(0, 3, n));
        return new Network(blocks, task);
    }

    private AffineNorm norm(int d) {
        return new AffineNorm(data.normal(d), data.normal(d), EPS);
    }

    /** Sums over a row are of ordinary size. */
    private Product product(DType type, int n, int out, int in) {
        Tensor w = Tensor.allocate(Arena.ofAuto(), type, out, in);
        Tensor random = data.normal(out, in);
        for (long i = 0; i < w.elements(); i++) {
            float v = (float) (random.getFloat(i) / Math.sqrt(in));
            if (type == DType.BF16) {
                w.data().set(ValueLayout.JAVA_SHORT, 2 * i, Elements.floatToBfloat16(v));
            } else {
                w.setFloat(i, v);
            }
        }
        return new Product(KernelData.zeros(n, out), w, data.normal(out), null);
    }

    static Stream<Shape> shapes() {
        return Stream.of(new Shape(DType.BF16, 128, 512, 4, 512, 1024), new Shape(DType.BF16, 128, 512, 2, 128, 384), new Shape(DType.BF16, 128, 512, 3, 192, 0),
                new Shape(DType.BF16, 128, 512, 1, 128, 8), new Shape(DType.BF16, 128, 512, 5, 128, 64), new Shape(DType.BF16, 128, 512, 2, 100, 60), new Shape(DType.BF16, 64, 256, 2, 256, 96),
                new Shape(DType.F32, 128, 512, 2, 512, 64));
    }

    @ParameterizedTest
    @MethodSource("shapes")
    void agreesWithJava(Shape s) {
        for (Target target : new Target[] {Target.BASELINE, Target.CUDA}) {
            try (Backend java = new JavaBackend(); Backend other = target.open(1)) {
                for (int n : new int[] {1, 8, 21, 64, 150}) {
                    Network network = network(s, n);
                    Tensor x = data.normal(n, s.latent());
                    KernelData.assertNear(network.run(java, x, 0, n), network.run(other, x, 0, n), 5e-5);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"BASELINE", "CUDA"})
    void rowsDoNotDependOnTheirBatch(Target target) {
        var s = new Shape(DType.BF16, 128, 512, 4, 512, 1024);
        int n = 300;
        Network network = network(s, n);
        Tensor x = data.normal(n, s.latent());
        try (Backend b = target.open(1)) {
            float[] all = network.run(b, x, 0, n);
            for (int[] part : new int[][] {{0, 1}, {3, 19}, {64, 128}, {290, 300}, {0, n}}) {
                assertArrayEquals(Arrays.copyOfRange(all, part[0] * s.out(), part[1] * s.out()), network.run(b, x, part[0], part[1]), Arrays.toString(part));
            }
        }
    }

    @Test
    void recordingsGiveTheSameBits() {
        int n = 64;
        Network network = network(new Shape(DType.BF16, 128, 512, 4, 512, 1024), n);
        Tensor x = data.normal(n, 128);
        try (Backend direct = Target.CUDA.open(1); Backend recorded = HostTensors.recorded(CudaPass.open())) {
            assertArrayEquals(network.run(direct, x, 0, n), network.run(recorded, x, 0, n));
        }
    }
}
