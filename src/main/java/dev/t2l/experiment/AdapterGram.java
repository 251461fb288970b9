package dev.t2l.experiment;

import dev.t2l.backend.Backend;
import dev.t2l.ops.Linear;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Memory;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Inner products of what adapters add to all weights, ΔW = s B A, none of which is ever made: ⟨ΔW₁, ΔW₂⟩ = s₁ s₂ tr(A₁ᵀ B₁ᵀ B₂ A₂) is the sum of the products,
 * entry by entry, of the r × r matrices B₁ᵀ B₂ and A₁ A₂ᵀ. They do not depend on how ΔW is parted into A and B, as a comparison of A and B themselves would.
 */
final class AdapterGram {

    private AdapterGram() {
    }

    /**
     * Of adapters on the same layers and projections.
     *
     * @param adapters on the host, f32
     * @param backend  who multiplies
     */
    static Gram of(List<LoraWeights> adapters, Backend backend) {
        int n = adapters.size();
        double[][] sums = new double[n][n];
        for (Site site : adapters.getFirst().pairs().keySet()) {
            List<Pair> pairs = adapters.stream().map(adapter -> adapter.pairs().get(site)).toList();
            if (pairs.contains(null) || adapters.stream().anyMatch(adapter -> adapter.pairs().size() != adapters.getFirst().pairs().size())) {
                throw new IllegalArgumentException("the adapters are not on the same layers and projections, such as " + site);
            }
            add(sums, pairs, backend);
        }
        return new Gram(sums);
    }

    private static void add(double[][] sums, List<Pair> pairs, Backend backend) {
        int[] from = new int[pairs.size() + 1]; // first row of each in the stacked factors
        for (int i = 0; i < pairs.size(); i++) {
            from[i + 1] = from[i] + Math.toIntExact(pairs.get(i).a().rows());
        }
        try (Arena arena = Arena.ofShared()) {
            Tensor a = products(stackedA(arena, pairs, from), arena, backend);
            Tensor b = products(stackedB(arena, pairs, from), arena, backend);
            IntStream.range(0, pairs.size()).parallel().forEach(i -> {
                for (int j = 0; j < pairs.size(); j++) {
                    double trace = 0;
                    for (int k = from[i]; k < from[i + 1]; k++) {
                        long row = (long) k * a.cols();
                        for (int l = from[j]; l < from[j + 1]; l++) {
                            trace += (double) a.getFloat(row + l) * b.getFloat(row + l);
                        }
                    }
                    sums[i][j] += trace * pairs.get(i).scale() * pairs.get(j).scale();
                }
            });
        }
    }

    /** All A, one below the other: [sum of ranks, in]. */
    private static Tensor stackedA(Arena arena, List<Pair> pairs, int[] from) {
        long in = pairs.getFirst().in();
        Tensor all = Tensor.allocate(arena, DType.F32, from[pairs.size()], in);
        for (int i = 0; i < pairs.size(); i++) {
            MemorySegment.copy(pairs.get(i).a().data(), 0, all.data(), DType.F32.bytes(from[i] * in), pairs.get(i).a().bytes());
        }
        return all;
    }

    /** All B, transposed, one below the other: [sum of ranks, out]. */
    private static Tensor stackedB(Arena arena, List<Pair> pairs, int[] from) {
        long out = pairs.getFirst().out();
        Tensor all = Tensor.allocate(arena, DType.F32, from[pairs.size()], out);
        for (int i = 0; i < pairs.size(); i++) {
            Tensor b = pairs.get(i).b();
            for (long row = 0; row < out; row++) {
                for (int k = 0; k < b.cols(); k++) {
                    all.setFloat((from[i] + k) * out + row, b.getFloat(row * b.cols() + k));
                }
            }
        }
        return all;
    }

    /** x xᵀ, on the host. */
    private static Tensor products(Tensor x, Arena arena, Backend backend) {
        List<Memory> owned = new ArrayList<>();
        try {
            Tensor there = on(backend, owned, x.rows(), x.cols());
            Tensor square = on(backend, owned, x.rows(), x.rows());
            backend.upload(there, x.data());
            Linear.forward(backend, square, there, there, null);
            Tensor host = Tensor.allocate(arena, DType.F32, x.rows(), x.rows());
            backend.download(host.data(), square);
            return host;
        } finally {
            owned.forEach(Memory::close);
        }
    }

    private static Tensor on(Backend backend, List<Memory> owned, long rows, long cols) {
        Memory memory = backend.allocate(DType.F32.bytes(rows * cols));
        owned.add(memory);
        return Tensor.of(DType.F32, memory.segment(), rows, cols);
    }
}
