package dev.t2l;

import dev.t2l.backend.Gate;
import dev.t2l.ops.LoraBatch;
import java.util.List;

/** What a request adds to the base model: an {@link Adapter}, a weighted {@link AdapterMix} of several, or several that each token chooses from ({@link AdapterRouter}). */
public abstract sealed class Adaptation permits Adapter, AdapterMix, AdapterRouter {
    Adaptation() {
    }

    /** The adapters to add, in order. */
    abstract List<AdapterMix.Part> parts();

    /** The base model as it is. */
    public static Adaptation none() {
        return AdapterMix.NONE;
    }

    /** The same adapters, all of their weights multiplied; 0 gives the base model's bits. */
    public Adaptation scaled(float factor) {
        return new AdapterMix(parts().stream().map(p -> new AdapterMix.Part(p.adapter(), p.weight() * factor)).toList());
    }

    /** What has to stay open while it is used. */
    List<Gate> gates() {
        return parts().stream().map(part -> part.adapter().gate()).toList();
    }

    /** What it is to a batch: adapters with their weights, borrowed while this is open. */
    public List<LoraBatch.Entry> entries() {
        return parts().stream().map(p -> new LoraBatch.Entry(p.adapter().weights(), LoraBatch.Weight.constant(p.weight()))).toList();
    }
}
