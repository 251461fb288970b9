package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.ops.LoraBatch;
import dev.t2l.ops.LoraShape;
import dev.t2l.ops.PlacedAdapters;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * Generates for several sequences side by side, each with its own adapters and sampler. What a sequence says does not depend on
 * the others. A step of decoding writes a few numbers, runs a recorded pass and reads tokens; it allocates nothing. Not thread-safe.
 */
public final class Generator implements AutoCloseable {
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

    private final DecodeSessions sessions;
    private final Decoder reading;  // of prompts
    private final Decoder choosing; // of tokens: few rows
    private final Backend backend;
    private final List<Sequence> sequences;
    private final PlacedAdapters placed;
    private final List<List<LoraBatch.Entry>> adapters; // of each sequence, placed
    private final LoraShape shape;
    private final int[] length;    // tokens of the sequence so far, the prompt included
    private final int[] generated;
    private final int[] last;      // the newest token
    private final boolean[] running;
    private final int[] rowOwner;  // sequence of each wanted row
    private DecodeSession session; // null once closed
    private DecodeStep step;       // null until the first
    private boolean setChanged;

    /** @throws IllegalArgumentException if the model has too few positions for a prompt and its new tokens */
    public Generator(DecodeSessions sessions, List<Sequence> sequences) {
        this.sessions = sessions;
        this.reading = sessions.decoder().prefilling();
        this.choosing = sessions.decoder().decoding();
        this.backend = sessions.decoder().backend();
        this.sequences = List.copyOf(sequences);
        int count = sequences.size();
        int positions = 0;
        int rows = 0;
        for (Sequence s : sequences) {
            positions = Math.max(positions, s.prompt().length + s.maxTokens());
            rows = Math.addExact(rows, s.prompt().length);
        }
        length = new int[count];
        generated = new int[count];
        last = new int[count];
        running = new boolean[count];
        rowOwner = new int[count];
        placed = new PlacedAdapters(backend);
        session = sessions.borrow(count, positions, rows);
        try {
            adapters = sequences.stream().map(s -> placed.entries(s.adapters())).toList();
            shape = LoraShape.of(adapters).rounded();
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    /**
     * Reads all prompts and chooses every sequence's first token.
     *
     * @param cancelled asked between passes of some hundred tokens
     * @return false if that ended it early; the sequences are then of no use
     */
    public boolean prefill(BooleanSupplier cancelled) {
        Workspace space = session.prompts();
        KvCache cache = session.cache();
        var lists = new ArrayList<List<LoraBatch.Entry>>();
        int wanted = 0;
        space.clear();
        for (int s = 0; s < sequences.size(); s++) {
            Sequence sequence = sequences.get(s);
            running[s] = sequence.maxTokens() > 0;
            int[] prompt = sequence.prompt();
            for (int p = 0; p < prompt.length; p++) {
                boolean end = p == prompt.length - 1;
                if (end) {
                    space.add(cache, s, p, prompt[p], sequence.sampler());
                    rowOwner[wanted++] = s;
                } else {
                    space.add(cache, s, p, prompt[p], false);
                }
                lists.add(adapters.get(s));
                if (space.size() == space.maxRows() || end && s == sequences.size() - 1) {
                    if (cancelled.getAsBoolean()) {
                        return false;
                    }
                    pass(space, lists, wanted);
                    wanted = 0;
                    lists.clear();
                    space.clear();
                }
            }
            length[s] = prompt.length;
        }
        setChanged = true;
        return true;
    }

    private void pass(Workspace space, List<List<LoraBatch.Entry>> lists, int wanted) {
        LoraBatch lora = session.promptAdapters(shape);
        if (lora != null) {
            lora.fill(lists);
        }
        reading.forward(space, session.cache(), lora);
        if (wanted > 0) {
            choosing.logits(space);
            choosing.sample(space);
        }
        backend.await(); // then inputs and tables may be written again
        takeTokens(space, wanted);
    }

    private void takeTokens(Workspace space, int wanted) {
        for (int r = 0; r < wanted; r++) {
            last[rowOwner[r]] = space.token(r);
        }
    }

    /** Feeds every running sequence its last token and chooses its next; false when none runs. */
    public boolean step() {
        Workspace space = session.space();
        KvCache cache = session.cache();
        space.clear();
        int rows = 0;
        for (int s = 0; s < running.length; s++) {
            if (running[s]) {
                space.add(cache, s, length[s]++, last[s], sequences.get(s).sampler());
                rowOwner[rows++] = s;
            }
        }
        if (rows == 0) {
            return false;
        }
        addIdleRows(space, cache, DecodeSession.rows(backend, rows));
        if (setChanged) {
            changeAdapters(rows);
        }
        step.run();
        takeTokens(space, rows);
        return true;
    }

    /** Fills up to the rows that a step is recorded for, with rows that write and see the first position of a slot that is not in use. */
    private void addIdleRows(Workspace space, KvCache cache, int recorded) {
        for (int slot = 0; space.size() < recorded; slot++) {
            if (slot >= running.length || !running[slot]) {
                space.add(cache, slot, 0, 0, true);
            }
        }
    }

    private void changeAdapters(int rows) {
        step = session.step(shape);
        if (step.adapters() != null) {
            var lists = new ArrayList<List<LoraBatch.Entry>>();
            for (int r = 0; r < rows; r++) {
                lists.add(adapters.get(rowOwner[r]));
            }
            step.adapters().fill(lists);
        }
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

    /** Gives the session back, once its work is done; harmless when called twice. */
    @Override
    public void close() {
        if (session == null) {
            return;
        }
        DecodeSession done = session;
        session = null;
        try {
            backend.await();
        } catch (RuntimeException e) {
            done.close(); // its work has failed
            placed.close();
            throw e;
        }
        placed.close();
        sessions.giveBack(done);
    }
}
