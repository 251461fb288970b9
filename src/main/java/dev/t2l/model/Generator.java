package dev.t2l.model;

import dev.t2l.ops.LoraBatch;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * Generates for several sequences side by side, each with its own adapters and sampler. What a sequence says does not depend on
 * the others. A step of decoding allocates nothing. Not thread-safe.
 */
public final class Generator implements AutoCloseable {
    private static final int PREFILL_ROWS = 256;

    /**
     * One sequence.
     *
     * @param prompt    token ids, at least one
     * @param adapters  that act on all its rows; may be empty
     * @param maxTokens to generate at most
     */
    public record Sequence(int[] prompt, List<LoraBatch.Entry> adapters, Sampler sampler, int maxTokens) {
        public Sequence {
            if (prompt.length == 0) {
                throw new IllegalArgumentException("a prompt without a token");
            }
        }
    }

    private final Decoder decoder;
    private final Decoder decoding;
    private final List<Sequence> sequences;
    private final KvCache cache;
    private final Workspace space;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment logits;
    private final int[] length;    // tokens of the sequence so far, the prompt included
    private final int[] generated;
    private final int[] last;      // the newest token
    private final boolean[] running;
    private final int[] rowOwner;  // sequence of each wanted row
    private LoraBatch lora;
    private boolean setChanged = true;

    public Generator(Decoder decoder, List<Sequence> sequences) {
        this.decoder = decoder;
        this.decoding = decoder.decoding();
        this.sequences = List.copyOf(sequences);
        int count = sequences.size();
        int capacity = 0;
        int rows = 0;
        for (Sequence s : sequences) {
            capacity = Math.max(capacity, s.prompt().length + s.maxTokens());
            rows += s.prompt().length;
        }
        if (capacity > decoder.config().contextLength()) {
            throw new IllegalArgumentException("prompt and new tokens may need " + capacity + " positions, the model has " + decoder.config().contextLength()
                    + "; shorten the prompt or ask for fewer tokens");
        }
        cache = new KvCache(decoder.backend(), decoder.config(), count, capacity);
        space = new Workspace(decoder.backend(), decoder.config(), Math.max(count, Math.min(rows, PREFILL_ROWS)), count);
        logits = arena.allocate(4L * count * decoder.config().vocabulary(), 64);
        length = new int[count];
        generated = new int[count];
        last = new int[count];
        running = new boolean[count];
        rowOwner = new int[count];
    }

    /**
     * Reads all prompts and chooses every sequence's first token.
     *
     * @param cancelled asked between passes of some hundred tokens
     * @return false if that ended it early; the sequences are then of no use
     */
    public boolean prefill(BooleanSupplier cancelled) {
        int wanted = 0;
        var adapters = new ArrayList<List<LoraBatch.Entry>>();
        space.clear();
        for (int s = 0; s < sequences.size(); s++) {
            Sequence sequence = sequences.get(s);
            running[s] = sequence.maxTokens() > 0;
            int[] prompt = sequence.prompt();
            for (int p = 0; p < prompt.length; p++) {
                boolean end = p == prompt.length - 1;
                space.add(cache, s, p, prompt[p], end);
                adapters.add(sequence.adapters());
                if (end) {
                    rowOwner[wanted++] = s;
                }
                if (space.size() == PREFILL_ROWS || end && s == sequences.size() - 1) {
                    if (cancelled.getAsBoolean()) {
                        return false;
                    }
                    try (LoraBatch batch = batch(adapters)) {
                        run(decoder, batch, wanted);
                    }
                    wanted = 0;
                    adapters.clear();
                    space.clear();
                }
            }
            length[s] = prompt.length;
        }
        return true;
    }

    private LoraBatch batch(List<List<LoraBatch.Entry>> rows) {
        return rows.stream().allMatch(List::isEmpty) ? null : new LoraBatch(decoder.backend(), rows, decoder::interleavedHeadDim);
    }

    private void run(Decoder by, LoraBatch batch, int wanted) {
        by.forward(space, cache, batch);
        if (wanted == 0) {
            return;
        }
        by.logits(space);
        by.backend().download(logits, space.logits());
        int vocabulary = decoder.config().vocabulary();
        for (int r = 0; r < wanted; r++) {
            int s = rowOwner[r];
            last[s] = sequences.get(s).sampler().sample(logits, 4L * r * vocabulary, vocabulary);
        }
    }

    /** Feeds every running sequence its last token and chooses its next; false when none runs. */
    public boolean step() {
        space.clear();
        int wanted = 0;
        for (int s = 0; s < running.length; s++) {
            if (running[s]) {
                space.add(cache, s, length[s]++, last[s], true);
                rowOwner[wanted++] = s;
            }
        }
        if (wanted == 0) {
            return false;
        }
        if (setChanged) {
            rebatch(wanted);
        }
        run(decoding, lora, wanted);
        return true;
    }

    private void rebatch(int rows) {
        var adapters = new ArrayList<List<LoraBatch.Entry>>();
        for (int r = 0; r < rows; r++) {
            adapters.add(sequences.get(rowOwner[r]).adapters());
        }
        if (lora != null) {
            lora.close();
        }
        lora = batch(adapters);
        setChanged = false;
    }

    /** The token that the last pass chose for a running sequence; taking it counts it, and the maxTokens-th one ends the sequence. */
    public int take(int sequence) {
        if (++generated[sequence] >= sequences.get(sequence).maxTokens()) {
            stop(sequence);
        }
        return last[sequence];
    }

    public boolean running(int sequence) {
        return running[sequence];
    }

    /** Ends a sequence. */
    public void stop(int sequence) {
        if (running[sequence]) {
            running[sequence] = false;
            setChanged = true;
        }
    }

    @Override
    public void close() {
        if (lora != null) {
            lora.close();
            lora = null;
        }
        cache.close();
        space.close();
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
