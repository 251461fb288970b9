package dev.t2l.tensor;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Named tensors and the owner of their memory: a mapped file, or one allocation. The iteration order is that of the source.
 * Closing twice is harmless.
 */
public final class Weights implements AutoCloseable {
    private final Map<String, Tensor> tensors;
    private final Runnable release;

    /** @param release ends the memory of all tensors; must be harmless when called twice */
    public Weights(Map<String, Tensor> tensors, Runnable release) {
        this.tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
        this.release = release;
    }

    /** All tensors by name. */
    public Map<String, Tensor> tensors() {
        return tensors;
    }

    public boolean has(String name) {
        return tensors.containsKey(name);
    }

    /** @throws IllegalArgumentException if there is none of that name */
    public Tensor get(String name) {
        Tensor tensor = tensors.get(name);
        if (tensor == null) {
            throw new IllegalArgumentException("no tensor '" + name + "' among " + tensors.size() + " (first: "
                    + tensors.keySet().stream().limit(3).toList() + ")");
        }
        return tensor;
    }

    /** Bytes of all tensors. */
    public long bytes() {
        return tensors.values().stream().mapToLong(Tensor::bytes).sum();
    }

    @Override
    public void close() {
        release.run();
    }
}
