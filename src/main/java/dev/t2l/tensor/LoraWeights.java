package dev.t2l.tensor;

import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.UnaryOperator;

/**
 * The matrices of one LoRA adapter, in PEFT's layout, by layer and projection.
 *
 * <p>Semantics of a pair: {@code y[out] += scale * (x[in] @ A[r,in]^T) @ B[out,r]^T}.
 */
public final class LoraWeights {
    /** Where a pair acts. Ordered by layer, then projection. */
    public record Site(int layer, Projection projection) implements Comparable<Site> {
        @Override
        public int compareTo(Site other) {
            return layer != other.layer ? Integer.compare(layer, other.layer) : projection.compareTo(other.projection);
        }

        @Override
        public String toString() {
            return "layers." + layer + "." + projection.path();
        }
    }

    /** f32 {@code a [r, in]} and {@code b [out, r]}, and the scale of their product (alpha/r, or alpha/sqrt(r) for rsLoRA). */
    public record Pair(Tensor a, Tensor b, float scale) {
        public Pair {
            if (a.dtype() != DType.F32 || b.dtype() != DType.F32 || a.rank() != 2 || b.rank() != 2 || a.dim(0) != b.dim(1)) {
                throw new IllegalArgumentException("a LoRA pair is A F32[r, in] and B F32[out, r], got A " + a + " and B " + b);
            }
        }

        public int rank() {
            return (int) a.dim(0);
        }

        public long in() {
            return a.dim(1);
        }

        public long out() {
            return b.dim(0);
        }
    }

    private final Map<Site, Pair> pairs;

    /** @throws IllegalArgumentException if there is no pair at all */
    public LoraWeights(Map<Site, Pair> pairs) {
        if (pairs.isEmpty()) {
            throw new IllegalArgumentException("an adapter without a single LoRA pair");
        }
        this.pairs = Collections.unmodifiableMap(new TreeMap<>(pairs));
    }

    /** All pairs, by layer, then projection. */
    public Map<Site, Pair> pairs() {
        return pairs;
    }

    /** The pair at a site, or null. */
    public Pair at(int layer, Projection projection) {
        return pairs.get(new Site(layer, projection));
    }

    /** The same adapter with its matrices elsewhere: {@code move} gives each one's copy. */
    public LoraWeights moved(UnaryOperator<Tensor> move) {
        var there = new TreeMap<Site, Pair>();
        pairs.forEach((site, pair) -> there.put(site, new Pair(move.apply(pair.a()), move.apply(pair.b()), pair.scale())));
        return new LoraWeights(there);
    }

    /** Number of values in all A and B. */
    public long parameters() {
        return pairs.values().stream().mapToLong(p -> p.a().elements() + p.b().elements()).sum();
    }
}
