package dev.t2l.io;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A whole file mapped read-only, and the owner of the mapping. Closing twice is harmless. */
final class MappedFile implements AutoCloseable {
    private final Path path;
    private final MemorySegment bytes;
    private final Arena arena;

    private MappedFile(Path path, MemorySegment bytes, Arena arena) {
        this.path = path;
        this.bytes = bytes;
        this.arena = arena;
    }

    /**
     * @throws UncheckedIOException if there is no such regular file or it cannot be read
     */
    static MappedFile open(Path path) {
        if (!Files.exists(path)) {
            throw new UncheckedIOException(new NoSuchFileException(path.toString()));
        }
        if (!Files.isRegularFile(path)) {
            throw new UncheckedIOException(new IOException(path + " is no regular file"));
        }
        Arena arena = Arena.ofShared();
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            return new MappedFile(path, channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena), arena);
        } catch (IOException e) {
            arena.close();
            throw new UncheckedIOException(e);
        }
    }

    Path path() {
        return path;
    }

    MemorySegment bytes() {
        return bytes;
    }

    long size() {
        return bytes.byteSize();
    }

    /** Zeroed memory that lives as long as the mapping. */
    MemorySegment allocate(long size) {
        return arena.allocate(Math.max(1, size), 64);
    }

    /** A problem of this file. */
    FormatException problem(String place, String cause) {
        return new FormatException(path, place, cause);
    }

    /** @throws IllegalStateException while native code reads the mapping; the file then stays open */
    @Override
    public synchronized void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
