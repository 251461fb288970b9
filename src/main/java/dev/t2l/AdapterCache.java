package dev.t2l;

import dev.t2l.hyper.GeneratedLora;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;

/**
 * Generated adapters that are kept for the next request with the same description ({@link TextToLora#adapt}), up to a number of MiB: past
 * that, those go that were not asked for the longest. An adapter in use is never freed, so those in use may take more.
 *
 * <p>Thread-safe. One cache may serve several hypernetworks; each finds its own adapters only, and takes them along when it is closed.
 */
public final class AdapterCache {
    /** MiB of a cache that nobody gave a size. */
    public static final int DEFAULT_MIB = 256;

    /** @param owner by identity */
    private record Key(TextToLora owner, String description) {
    }

    /** All but the future is guarded by the cache. */
    private static final class Entry {
        final CompletableFuture<GeneratedLora> lora = new CompletableFuture<>();
        long bytes;
        int users;
        boolean kept = true;
    }

    /**
     * An adapter as one user has it.
     *
     * @param hit     whether it was there, or on its way, before
     * @param release ends the use; to be called once
     */
    record Loan(GeneratedLora lora, boolean hit, Runnable release) {
    }

    private final long limit; // bytes
    private final Map<Key, Entry> entries = new LinkedHashMap<>(16, 0.75f, true);
    private long bytes;
    private long hits;
    private long misses;

    /** A cache of {@value #DEFAULT_MIB} MiB. */
    public AdapterCache() {
        this(DEFAULT_MIB);
    }

    /**
     * A cache of so many MiB of the backend's memory; of 0, adapters are shared while they are in use and not kept.
     *
     * @throws IllegalArgumentException if negative
     */
    public AdapterCache(int mebibytes) {
        this((long) mebibytes << 20);
    }

    AdapterCache(long limit) {
        if (limit < 0) {
            throw new IllegalArgumentException("a cache of " + (limit >> 20) + " MiB; wanted 0 or more");
        }
        this.limit = limit;
    }

    /** Calls that found their adapter, or another call that was making it. */
    public synchronized long hits() {
        return hits;
    }

    /** Calls that made their adapter. */
    public synchronized long misses() {
        return misses;
    }

    /** Adapters here, those in use included. */
    public synchronized int size() {
        return entries.size();
    }

    /** Bytes of all adapters here, those in use included. */
    public synchronized long bytes() {
        return bytes;
    }

    /** Forgets all adapters; those in use are freed after it. */
    public void clear() {
        forget(null);
    }

    /** {@link #clear}, of one owner's. */
    void forget(TextToLora owner) {
        List<Entry> freed = new ArrayList<>();
        synchronized (this) {
            entries.entrySet().removeIf(e -> {
                boolean gone = owner == null || e.getKey().owner() == owner;
                if (gone && drop(e.getValue())) {
                    freed.add(e.getValue());
                }
                return gone;
            });
        }
        free(freed);
    }

    /**
     * The adapter for a description. Of callers at the same time one makes it and the others wait.
     *
     * @param make what it throws, all who wait get
     */
    Loan lend(TextToLora owner, String description, Supplier<GeneratedLora> make) {
        var key = new Key(owner, description);
        Entry entry;
        boolean hit;
        synchronized (this) {
            entry = entries.computeIfAbsent(key, _ -> new Entry());
            hit = entry.users++ > 0 || entry.bytes > 0;
            hits += hit ? 1 : 0;
            misses += hit ? 0 : 1;
        }
        if (!hit) {
            make(key, entry, make);
        }
        return new Loan(made(entry), hit, () -> giveBack(entry));
    }

    private void make(Key key, Entry entry, Supplier<GeneratedLora> make) {
        GeneratedLora lora;
        try {
            lora = make.get();
        } catch (RuntimeException | Error e) {
            synchronized (this) {
                entries.remove(key, entry);
            }
            entry.lora.completeExceptionally(e);
            return;
        }
        entry.lora.complete(lora);
        List<Entry> freed;
        synchronized (this) {
            entry.bytes = lora.all().bytes();
            bytes += entry.kept ? entry.bytes : 0;
            freed = evict();
        }
        free(freed);
    }

    private static GeneratedLora made(Entry entry) {
        try {
            return entry.lora.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof Error error) {
                throw error;
            }
            throw (RuntimeException) e.getCause();
        }
    }

    private void giveBack(Entry entry) {
        List<Entry> freed;
        synchronized (this) {
            entry.users--;
            freed = entry.kept ? evict() : entry.users == 0 ? List.of(entry) : List.of();
        }
        free(freed);
    }

    /** Takes out what nobody uses, the least recently asked for first, until the rest fits. */
    private List<Entry> evict() {
        List<Entry> freed = new ArrayList<>();
        var oldest = entries.values().iterator();
        while (bytes > limit && oldest.hasNext()) {
            Entry entry = oldest.next();
            if (entry.users == 0) {
                oldest.remove();
                drop(entry);
                freed.add(entry);
            }
        }
        return freed;
    }

    /** Counts it no longer; whether it is to be freed at once. */
    private boolean drop(Entry entry) {
        entry.kept = false;
        bytes -= entry.bytes;
        return entry.users == 0;
    }

    /** Outside of the lock, for a device may have to be waited for. */
    private static void free(List<Entry> entries) {
        entries.forEach(entry -> entry.lora.join().close());
    }
}
