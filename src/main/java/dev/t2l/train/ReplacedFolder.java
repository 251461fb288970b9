package dev.t2l.train;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * A folder that is there as a whole or not at all: written beside its place under a hidden name, its files forced to the disk, and moved. An
 * older one steps aside before and is deleted after; {@link #recover} puts it back where that was cut short.
 */
final class ReplacedFolder {
    private ReplacedFolder() {
    }

    static void write(Path folder, Consumer<Path> content) {
        try {
            recover(folder);
            Path fresh = beside(folder, "new");
            Files.createDirectories(fresh);
            content.accept(fresh);
            force(fresh);
            if (Files.exists(folder)) {
                Files.move(folder, beside(folder, "old"), StandardCopyOption.ATOMIC_MOVE);
            }
            Files.move(fresh, folder, StandardCopyOption.ATOMIC_MOVE);
            delete(beside(folder, "old"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Clears away what a write that was cut short has left. */
    static void recover(Path folder) {
        try {
            Path old = beside(folder, "old");
            if (Files.exists(old) && !Files.exists(folder)) {
                Files.move(old, folder, StandardCopyOption.ATOMIC_MOVE);
            }
            delete(old);
            delete(beside(folder, "new"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Path beside(Path folder, String what) {
        return folder.resolveSibling("." + folder.getFileName() + "." + what);
    }

    private static void force(Path folder) throws IOException {
        for (Path file : contents(folder)) {
            if (Files.isRegularFile(file)) {
                try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                    channel.force(true);
                }
            }
        }
    }

    /** With everything in it; nothing happens if it is not there. */
    static void delete(Path folder) throws IOException {
        if (Files.exists(folder)) {
            for (Path path : contents(folder).reversed()) {
                Files.delete(path);
            }
        }
    }

    private static List<Path> contents(Path folder) throws IOException {
        try (Stream<Path> walk = Files.walk(folder)) {
            return walk.sorted(Comparator.naturalOrder()).toList();
        }
    }
}
