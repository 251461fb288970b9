package dev.t2l.model;

import dev.t2l.backend.Backend;
import dev.t2l.ops.LoraBatch;
import dev.t2l.ops.LoraShape;
import dev.t2l.ops.PlacedAdapters;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;

/**
 * Generates greedily for sequences that enter and leave one by one, so that its batch stays full (continuous batching: Yu et al. 2022, Orca). What
 * prompts with the same adapters have in common at their beginning is read once and copied. Nothing of this shows in what is said, nor in how
 * likely anything is. A failure in the middle of a pass closes it. Not thread-safe.
 */
public final class ContinuousGenerator implements AutoCloseable {
    /**
     * A sequence that enters.
     *
     * @param prompt        token ids, at least one
     * @param adapters      that act on all its rows; sequences share what they read if it is the same list. They must live until sequences enter after it
     *                      has ended, or the generator is closed
     * @param maxTokens     to generate at most, at least one
     * @param continuations of the prompt, at least a token each, whose likelihood is asked for; may be none
     */
    public record Entrant(int[] prompt, List<LoraBatch.Entry> adapters, int maxTokens, List<int[]> continuations) {
        public Entrant {
            if (prompt.length == 0 || maxTokens < 1 || continuations.stream().anyMatch(ids -> ids.length == 0)) {
                throw new IllegalArgumentException("a prompt of " + prompt.length + " tokens, " + maxTokens + " to generate, continuations of "
                        + continuations.stream().map(ids -> ids.length).toList() + ": each must be at least one");
            }
        }

        /** Cache positions that it may need. */
        public int positions() {
            return prompt.length + Math.max(maxTokens, continuations.stream().mapToInt(ids -> ids.length).max().orElse(0));
        }
    }

    private static final System.Logger LOG = System.getLogger("dev.t2l.model");

    private final DecodeSessions sessions;
    private final Decoder reading;
    private final Decoder choosing;
    private final Backend backend;
    private final PlacedAdapters placed;
    private final CacheCopies copies;
    private final Slot[] slots;
    private final int[] rowOwner; // slot of each wanted row
    private final Effort effort = new Effort();
    private DecodeSession session; // null once closed
    private Throwable failure;     // that closed it; null if none did
    private Likelihoods likelihoods; // null until the first are asked for
    private LoraShape most = LoraShape.NONE; // that was needed so far
    private DecodeStep step;
    private int stepRows;          // of the next step
    private int[] stepOwner;       // their slots
    private boolean changed = true; // since the rows were given to sequences

    /**
     * @param slots     sequences at once
     * @param positions that each may need at most
     * @throws IllegalArgumentException if the model has fewer positions
     */
    public ContinuousGenerator(DecodeSessions sessions, int slots, int positions) {
        this.sessions = sessions;
        this.reading = sessions.decoder().prefilling();
        this.choosing = sessions.decoder().decoding();
        this.backend = sessions.decoder().backend();
        this.slots = new Slot[slots];
        for (int s = 0; s < slots; s++) {
            this.slots[s] = new Slot();
        }
        rowOwner = new int[slots];
        placed = new PlacedAdapters(backend);
        session = sessions.borrow(slots, positions, backend.passRows());
        try {
            copies = new CacheCopies(backend, sessions.decoder().config(), session.cache());
            stepOwner = new int[session.cache().slots()];
        } catch (RuntimeException | Error e) {
            placed.close();
            sessions.giveBack(session);
            throw e;
        }
    }

    /** Slots without a running sequence. */
    public int free() {
        int free = 0;
        for (Slot slot : slots) {
            free += slot.running ? 0 : 1;
        }
        return free;
    }

    /**
     * Reads prompts and chooses their first tokens.
     *
     * @param entrants as many as slots are free, or fewer
     * @return their slots
     * @throws IllegalStateException if it is closed, or too few slots are free
     */
    public int[] enter(List<Entrant> entrants) {
        int[] into = freeSlots(entrants.size());
        return orClose(() -> {
            admit(entrants, into);
            return into;
        });
    }

    /** Work that leaves this of no use where it fails. */
    private <T> T orClose(Supplier<T> work) {
        if (session == null) {
            throw new IllegalStateException("the generator is closed" + (failure == null ? "" : ", for a pass failed: " + failure.getMessage()), failure);
        }
        try {
            return work.get();
        } catch (RuntimeException | Error e) {
            failure = e;
            try {
                close();
            } catch (RuntimeException | Error second) {
                if (second != e) {
                    e.addSuppressed(second);
                }
            }
            throw e;
        }
    }

    private void admit(List<Entrant> entrants, int[] into) {
        long start = System.nanoTime();
        placed.retain(Arrays.stream(slots).filter(slot -> slot.entrant != null).map(slot -> slot.entrant.adapters()).toList());
        List<Entrant> here = entrants.stream().map(e -> new Entrant(e.prompt(), placed.entries(e.adapters()), e.maxTokens(), e.continuations())).toList();
        List<SharedPrefixes.Arrival> arrivals = SharedPrefixes.plan(slots, into, here);
        for (SharedPrefixes.Arrival arrival : arrivals) {
            slots[arrival.slot()].enter(arrival.entrant());
            effort.sequences++;
            effort.copied += arrival.shared();
            effort.read += arrival.entrant().prompt().length - arrival.shared();
        }
        most = most.and(LoraShape.of(running()));
        for (boolean late : new boolean[] {false, true}) {
            List<SharedPrefixes.Arrival> now = arrivals.stream().filter(arrival -> arrival.late() == late).toList();
            now.stream().filter(arrival -> arrival.shared() > 0).forEach(arrival -> copies.add(arrival.donor(), arrival.slot(), arrival.shared()));
            copies.flush();
            read(now);
        }
        long read = System.nanoTime();
        weigh(arrivals);
        effort.reading += read - start;
        effort.weighing += System.nanoTime() - read;
        changed = true;
    }

    private int[] freeSlots(int count) {
        int[] free = new int[count];
        int found = 0;
        for (int s = 0; s < slots.length && found < count; s++) {
            if (!slots[s].running) {
                free[found++] = s;
            }
        }
        if (found < count) {
            throw new IllegalStateException(count + " sequences want to enter, " + found + " slots are free");
        }
        return free;
    }

    private List<List<LoraBatch.Entry>> running() {
        List<List<LoraBatch.Entry>> lists = new ArrayList<>();
        for (Slot slot : slots) {
            if (slot.running) {
                lists.add(slot.entrant.adapters());
            }
        }
        return lists;
    }

    private void read(List<SharedPrefixes.Arrival> arrivals) {
        Workspace space = session.prompts();
        List<List<LoraBatch.Entry>> lists = new ArrayList<>();
        int wanted = 0;
        space.clear();
        for (SharedPrefixes.Arrival arrival : arrivals) {
            int[] prompt = arrival.entrant().prompt();
            for (int p = arrival.shared(); p < prompt.length; p++) {
                boolean end = p == prompt.length - 1;
                space.add(session.cache(), arrival.slot(), p, prompt[p], end);
                lists.add(arrival.entrant().adapters());
                if (end) {
                    rowOwner[wanted++] = arrival.slot();
                }
                if (space.size() == space.maxRows()) {
                    pass(space, lists, wanted);
                    wanted = 0;
                }
            }
        }
        if (space.size() > 0) {
            pass(space, lists, wanted);
        }
    }

    private void pass(Workspace space, List<List<LoraBatch.Entry>> lists, int wanted) {
        LoraBatch lora = session.promptAdapters(most.rounded());
        if (lora != null) {
            lora.fill(lists);
        }
        reading.forward(space, session.cache(), lora);
        if (wanted > 0) {
            choosing.logits(space);
            choosing.sample(space);
        }
        backend.await();
        takeTokens(space, wanted);
        space.clear();
        lists.clear();
    }

    private void takeTokens(Workspace space, int wanted) {
        for (int r = 0; r < wanted; r++) {
            slots[rowOwner[r]].last = space.token(r);
        }
    }

    private void weigh(List<SharedPrefixes.Arrival> arrivals) {
        List<Likelihoods.Asked> asked = arrivals.stream().filter(arrival -> !arrival.entrant().continuations().isEmpty())
                .map(a -> new Likelihoods.Asked(a.slot(), a.entrant().prompt(), a.entrant().adapters(), a.entrant().continuations())).toList();
        if (asked.isEmpty()) {
            return;
        }
        int longest = asked.stream().flatMap(one -> one.continuations().stream()).mapToInt(ids -> ids.length).max().orElseThrow();
        if (likelihoods == null || likelihoods.longest() < longest) {
            closeLikelihoods();
            likelihoods = new Likelihoods(sessions.decoder(), session.cache(), longest);
        }
        List<double[]> found = likelihoods.of(asked, most.rounded());
        for (int i = 0; i < asked.size(); i++) {
            slots[asked.get(i).slot()].likelihoods = found.get(i);
        }
    }

    /** Feeds every running sequence its last token and chooses its next; false when none runs. */
    public boolean step() {
        return orClose(this::advance);
    }

    private boolean advance() {
        int running = slots.length - free();
        if (running == 0) {
            return false;
        }
        long start = System.nanoTime();
        int rows = DecodeSession.rows(backend, running);
        if (changed || rows < stepRows) {
            arrange(rows);
        }
        addRows();
        step.run();
        Workspace space = session.space();
        for (int r = 0; r < stepRows; r++) {
            if (isRunning(stepOwner[r])) {
                slots[stepOwner[r]].last = space.token(r);
            }
        }
        effort.steps++;
        effort.generated += running;
        effort.stepping += System.nanoTime() - start;
        return true;
    }

    /** Gives the rows of steps to the running sequences, and to idle slots if there are more. The row of one that ends is idle until this is called again. */
    private void arrange(int rows) {
        stepRows = 0;
        List<List<LoraBatch.Entry>> lists = new ArrayList<>();
        for (int s = 0; s < slots.length; s++) {
            if (slots[s].running) {
                stepOwner[stepRows++] = s;
                lists.add(slots[s].entrant.adapters());
            }
        }
        for (int s = 0; stepRows < rows; s++) {
            if (!isRunning(s)) {
                stepOwner[stepRows++] = s;
            }
        }
        step = session.step(most.rounded());
        if (step.adapters() != null) {
            step.adapters().fill(lists);
        }
        changed = false;
    }

    /** Idle rows write and see the first position of their slots, as {@link Generator}'s do; what they write over can no longer be shared. */
    private void addRows() {
        Workspace space = session.space();
        space.clear();
        for (int r = 0; r < stepRows; r++) {
            int s = stepOwner[r];
            if (isRunning(s)) {
                space.add(session.cache(), s, slots[s].length++, slots[s].last, true);
            } else {
                space.add(session.cache(), s, 0, 0, true);
                if (s < slots.length) {
                    slots[s].entrant = null;
                }
            }
        }
    }

    /** The cache may have slots beyond those of sequences. */
    private boolean isRunning(int slot) {
        return slot < slots.length && slots[slot].running;
    }

    public boolean running(int slot) {
        return slots[slot].running;
    }

    /** The token that the last pass chose for a running sequence; taking it counts it, and the maxTokens-th one ends the sequence. */
    public int take(int slot) {
        if (++slots[slot].generated >= slots[slot].entrant.maxTokens()) {
            stop(slot);
        }
        return slots[slot].last;
    }

    /** Ends a sequence; its slot is free. */
    public void stop(int slot) {
        slots[slot].running = false;
    }

    /** Natural logarithms of the probabilities of the continuations of a slot's newest sequence. */
    public double[] likelihoods(int slot) {
        return slots[slot].likelihoods.clone();
    }

    private void closeLikelihoods() {
        if (likelihoods != null) {
            likelihoods.close();
            likelihoods = null;
        }
    }

    /** Gives the session back, once its work is done; harmless when called twice. */
    @Override
    public void close() {
        if (session == null) {
            return;
        }
        LOG.log(System.Logger.Level.DEBUG, effort);
        DecodeSession done = session;
        session = null;
        boolean failed = true;
        try {
            backend.await();
            failed = failure != null;
        } finally {
            closeLikelihoods();
            copies.close();
            placed.close();
            if (failed) {
                done.close();
            } else {
                sessions.giveBack(done);
            }
        }
    }
}
