package dev.t2l.text;

import java.util.Arrays;

/** Byte-pair merges: (left id, right id) to (rank, merged id). Open addressing over longs: a vocabulary has hundreds of thousands. */
final class MergeTable {
    private static final long EMPTY = -1;

    private final long[] keys;
    private final long[] values;

    MergeTable(int merges) {
        int capacity = Integer.highestOneBit(Math.max(merges, 8)) * 4;
        keys = new long[capacity];
        values = new long[capacity];
        Arrays.fill(keys, EMPTY);
    }

    /** Keeps the first rank of a pair that is given twice. */
    void put(int left, int right, int rank, int merged) {
        long key = (long) left << 32 | right;
        int slot = slot(key);
        if (keys[slot] == EMPTY) {
            keys[slot] = key;
            values[slot] = PairMerging.merge(rank, merged);
        }
    }

    /** {@link PairMerging#merge} of a pair, or {@link PairMerging#NEVER}. */
    long get(int left, int right) {
        int slot = slot((long) left << 32 | right);
        return keys[slot] == EMPTY ? PairMerging.NEVER : values[slot];
    }

    private int slot(long key) {
        int mask = keys.length - 1;
        int slot = (int) ((key * 0x9E3779B97F4A7C15L) >>> 32) & mask;
        while (keys[slot] != EMPTY && keys[slot] != key) {
            slot = (slot + 1) & mask;
        }
        return slot;
    }
}
