package dev.t2l;

import java.util.List;

/** A weighted sum of adapters, formed while the model runs: {@code y = x W^T + sum of weight_i * scale_i (x A_i^T) B_i^T}. */
public final class AdapterMix extends Adaptation {
    static final AdapterMix NONE = new AdapterMix(List.of());

    /** An adapter and its weight. */
    public record Part(Adapter adapter, float weight) {
        public Part {
            if (!Float.isFinite(weight)) {
                throw new IllegalArgumentException("the weight of an adapter must be finite, is " + weight);
            }
        }
    }

    private final List<Part> parts;

    AdapterMix(List<Part> parts) {
        this.parts = List.copyOf(parts);
    }

    /** A mix of any adapters, of any ranks and target modules. */
    public static AdapterMix of(Part... parts) {
        return new AdapterMix(List.of(parts));
    }

    /** {@code (1 - t) * a + t * b}. */
    public static AdapterMix between(Adapter a, Adapter b, float t) {
        return of(new Part(a, 1 - t), new Part(b, t));
    }

    @Override
    public List<Part> parts() {
        return parts;
    }
}
