package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.ops.LoraBatch;
import dev.t2l.ops.LoraShape;
import dev.t2l.tensor.PowerOfTwo;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What generating for some sequences needs of memory, kept from one generation to the next: their cache, the activations of steps and
 * of prefill, the tables of their adapters, and the recorded steps that use all these. Not thread-safe; one generation has it at a time.
 */
final class DecodeSession implements AutoCloseable {
    /** Sequences, and cache positions of each. */
    record Size(int slots, int capacity) {
        private static final int LEAST_CAPACITY = 256;

        /** The size that generations of about this one share; positions are a power of two, but no more than the model has. */
        static Size of(Backend backend, int sequences, int positions, int contextLength) {
            int rounded = Math.max(LEAST_CAPACITY, PowerOfTwo.atLeast(positions));
            return new Size(rows(backend, sequences), Math.min(rounded, contextLength));
        }
    }

    /** Rows of the step that is run for so many sequences, some of them idle if that lets few recordings serve all numbers. */
    static int rows(Backend backend, int sequences) {
        return backend.replays() ? PowerOfTwo.atLeast(sequences) : sequences;
    }

    /** Shapes of adapters whose steps are kept. */
    private static final int SHAPES = 4;

    private final Decoder decoder;
    private final Decoder decoding;
    private final Size size;
    private final KvCache cache;
    private final Workspace space;
    private final Map<LoraShape, DecodeStep> steps = new LinkedHashMap<>(); // least recently asked for first
    private Workspace prompts;
    private LoraBatch promptAdapters;

    DecodeSession(Decoder decoder, Size size) {
        this.decoder = decoder;
        this.decoding = decoder.decoding();
        this.size = size;
        cache = new KvCache(decoder.backend(), decoder.config(), size.slots(), size.capacity());
        try {
            space = new Workspace(decoder.backend(), decoder.config(), size.slots(), size.slots());
        } catch (RuntimeException | Error e) {
            cache.close();
            throw e;
        }
    }

    Size size() {
        return size;
    }

    KvCache cache() {
        return cache;
    }

    /** Inputs and answers of {@link #step}, a row a slot. */
    Workspace space() {
        return space;
    }

    /** The step of batches whose adapters have this shape. */
    DecodeStep step(LoraShape shape) {
        DecodeStep step = steps.remove(shape);
        if (step == null) {
            if (steps.size() == SHAPES) {
                steps.remove(steps.keySet().iterator().next()).close();
            }
            step = new DecodeStep(decoding, space, cache, adapters(shape, size.slots()));
        }
        steps.put(shape, step);
        return step;
    }

    /** Makes room for passes of prefill over {@code rows}, or over as many as the backend likes to have at once. */
    void makeRoom(int rows) {
        int wanted = Math.min(PowerOfTwo.atLeast(rows), decoder.backend().passRows());
        if (prompts == null || prompts.maxRows() < wanted) {
            dropPrompts();
            prompts = new Workspace(decoder.backend(), decoder.config(), wanted, size.slots());
        }
    }

    /** For passes of prefill. */
    Workspace prompts() {
        return prompts;
    }

    /** Tables for the rows of {@link #prompts}; null for a shape without adapters. */
    LoraBatch promptAdapters(LoraShape shape) {
        if (promptAdapters == null || !promptAdapters.shape().equals(shape)) {
            dropPromptAdapters();
            promptAdapters = adapters(shape, prompts.maxRows());
        }
        return promptAdapters;
    }

    private LoraBatch adapters(LoraShape shape, int rows) {
        return shape.equals(LoraShape.NONE) ? null : new LoraBatch(decoder.backend(), shape, rows, decoder::interleavedHeadDim);
    }

    /** Memory of the backend that this has, apart from recordings. */
    long bytes() {
        long tables = promptAdapters == null ? 0 : promptAdapters.bytes();
        for (DecodeStep step : steps.values()) {
            tables += step.adapters() == null ? 0 : step.adapters().bytes();
        }
        return cache.bytes() + space.bytes() + (prompts == null ? 0 : prompts.bytes()) + tables;
    }

    private void dropPromptAdapters() {
        if (promptAdapters != null) {
            promptAdapters.close();
            promptAdapters = null;
        }
    }

    private void dropPrompts() {
        dropPromptAdapters();
        if (prompts != null) {
            prompts.close();
            prompts = null;
        }
    }

    @Override
    public void close() {
        steps.values().forEach(DecodeStep::close);
        steps.clear();
        dropPrompts();
        space.close();
        cache.close();
    }
}
