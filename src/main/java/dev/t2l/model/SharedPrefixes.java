package dev.t2l.model;

import dev.t2l.model.ContinuousGenerator.Entrant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Which sequences that enter a batch begin like others whose keys and values are there, or will be. */
final class SharedPrefixes {
    /** A slot of reading first and sharing then costs a pass more; it is worth that for so many tokens. */
    private static final int WORTHWHILE = 8;

    /**
     * A sequence about to enter.
     *
     * @param donor  slot to copy from
     * @param shared positions to copy, fewer than the prompt has
     * @param late   whether the donor enters at the same time, and so has to be read first
     */
    record Arrival(int slot, Entrant entrant, int donor, int shared, boolean late) {
    }

    private SharedPrefixes() {
    }

    /**
     * @param slots as they are
     * @param into  slots that the entrants get; nothing is copied from what was there
     */
    static List<Arrival> plan(Slot[] slots, int[] into, List<Entrant> entrants) {
        boolean[] taken = new boolean[slots.length];
        for (int s : into) {
            taken[s] = true;
        }
        List<Arrival> arrivals = new ArrayList<>();
        for (int i = 0; i < into.length; i++) {
            Entrant entrant = entrants.get(i);
            var resident = new Arrival(into[i], entrant, into[i], 0, false);
            for (int s = 0; s < slots.length; s++) {
                if (!taken[s] && slots[s].entrant != null) {
                    resident = better(resident, s, slots[s].entrant, false);
                }
            }
            var fellow = resident;
            for (Arrival other : arrivals) {
                if (!other.late()) {
                    fellow = better(fellow, other.slot(), other.entrant(), true);
                }
            }
            arrivals.add(fellow.shared() >= resident.shared() + WORTHWHILE ? fellow : resident);
        }
        return arrivals;
    }

    private static Arrival better(Arrival found, int donor, Entrant other, boolean late) {
        int shared = common(found.entrant(), other);
        return shared > found.shared() ? new Arrival(found.slot(), found.entrant(), donor, shared, late) : found;
    }

    /** Positions that two prompts share, at most all of the first but its last, whose answer is wanted. */
    private static int common(Entrant entrant, Entrant other) {
        if (entrant.adapters() != other.adapters() && !(entrant.adapters().isEmpty() && other.adapters().isEmpty())) {
            return 0;
        }
        int differs = Arrays.mismatch(entrant.prompt(), other.prompt());
        return Math.min(differs < 0 ? entrant.prompt().length : differs, entrant.prompt().length - 1);
    }
}
