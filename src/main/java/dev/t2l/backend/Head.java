package dev.t2l.backend;

import dev.t2l.tensor.Tensor;
import java.util.List;

/**
 * One head of a hypernetwork and the LoRA factors that are cut from its output, for {@link Backend#heads}.
 *
 * @param z    f32 [n, k]
 * @param w    any float type [H, k]
 * @param bias any float type [H], or null
 */
public record Head(Tensor z, Tensor w, Tensor bias, List<Cut> cuts) {

    /** One factor, as in {@link Backend#loraFactor}, of the output [n, H]. */
    public record Cut(Tensor out, LoraFactor source, Tensor scale, Tensor shift) {
    }

    public Head {
        cuts = List.copyOf(cuts);
    }
}
