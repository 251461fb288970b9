package dev.t2l;

import java.util.List;

/**
 * Cuts a stream of text before the first stop sequence to be complete (of two that end together, the longer), holding back what
 * might be the beginning of one. How the text is cut into pieces makes no difference. Not thread-safe.
 */
final class StopMatcher {
    private final List<String> stops;
    private final StringBuilder held = new StringBuilder();
    private boolean stopped;

    StopMatcher(List<String> stops) {
        this.stops = stops;
    }

    /** Takes more text and returns what surely comes before any stop sequence. */
    String accept(String piece) {
        if (stopped) {
            return "";
        }
        held.append(piece);
        int cut = -1;
        int end = Integer.MAX_VALUE;
        for (String stop : stops) {
            int at = held.indexOf(stop);
            int after = at + stop.length();
            if (at >= 0 && (after < end || after == end && at < cut)) {
                cut = at;
                end = after;
            }
        }
        stopped = cut >= 0;
        String safe = held.substring(0, stopped ? cut : held.length() - beginning());
        held.delete(0, stopped ? held.length() : safe.length());
        return safe;
    }

    /** Length of the longest end of the held text that begins a stop sequence. */
    private int beginning() {
        for (int from = 0; from < held.length(); from++) {
            String end = held.substring(from);
            if (stops.stream().anyMatch(stop -> stop.startsWith(end))) {
                return end.length();
            }
        }
        return 0;
    }

    /** What was held back, when no more text comes. */
    String finish() {
        String rest = held.toString();
        held.setLength(0);
        return rest;
    }

    boolean stopped() {
        return stopped;
    }
}
