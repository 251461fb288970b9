package dev.t2l.text;

import java.util.PriorityQueue;

/**
 * Greedy merging of neighbours, best pair first and of equally good ones the leftmost, in O(n log n): the loop that byte-pair
 * encoding and SentencePiece's BPE share (Sennrich et al. 2016, algorithm 1, with a queue).
 */
abstract class PairMerging {
    /** Result of {@link #join} for two symbols that do not merge. */
    static final long NEVER = -1;

    /** Symbol s spans {@code [start[s], end[s])} of the word and has token {@code id[s]}; -1 if it has none. */
    final int[] start;
    final int[] end;
    final int[] id;
    private final int[] previous;
    private final int[] next;
    private final PriorityQueue<Candidate> queue = new PriorityQueue<>();
    private int size;

    private record Candidate(int rank, int left, int right, int end, int id) implements Comparable<Candidate> {
        @Override
        public int compareTo(Candidate other) {
            return rank != other.rank ? Integer.compare(rank, other.rank) : Integer.compare(left, other.left);
        }
    }

    PairMerging(int maxSymbols) {
        start = new int[maxSymbols];
        end = new int[maxSymbols];
        id = new int[maxSymbols];
        previous = new int[maxSymbols];
        next = new int[maxSymbols];
    }

    /** The rank of a merge (smaller first) in the upper and the token that it gives in the lower 32 bits, or {@link #NEVER}. */
    abstract long join(int left, int right);

    static long merge(int rank, int id) {
        return (long) rank << 32 | id;
    }

    final void append(int from, int to, int token) {
        start[size] = from;
        end[size] = to;
        id[size] = token;
        previous[size] = size - 1;
        next[size] = -1;
        if (size > 0) {
            next[size - 1] = size;
        }
        size++;
    }

    /** Merges until nothing merges; then {@link #first} and {@link #after} walk what is left. */
    final void run() {
        for (int s = 1; s < size; s++) {
            offer(s - 1, s);
        }
        while (!queue.isEmpty()) {
            Candidate best = queue.poll();
            int left = best.left;
            int right = best.right;
            boolean stale = next[left] != right || start[right] < 0 || end[right] != best.end || start[left] < 0;
            if (stale) {
                continue;
            }
            id[left] = best.id;
            end[left] = best.end;
            next[left] = next[right];
            if (next[right] >= 0) {
                previous[next[right]] = left;
            }
            start[right] = -1;
            offer(previous[left], left);
            offer(left, next[left]);
        }
    }

    final int first() {
        return size == 0 ? -1 : 0;
    }

    final int after(int symbol) {
        return next[symbol];
    }

    private void offer(int left, int right) {
        if (left < 0 || right < 0) {
            return;
        }
        long merge = join(left, right);
        if (merge != NEVER) {
            queue.add(new Candidate((int) (merge >>> 32), left, right, end[right], (int) merge));
        }
    }
}
