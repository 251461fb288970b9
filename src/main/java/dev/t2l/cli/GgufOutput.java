package dev.t2l.cli;

import dev.t2l.io.GgufWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Files that commands write, with a bar while it takes long and a line when it is done. */
final class GgufOutput {
    private GgufOutput() {
    }

    /** @throws IllegalArgumentException if the target is a folder */
    static void requireFile(Path target) {
        if (Files.isDirectory(target)) {
            throw new IllegalArgumentException("--out " + target + " is a folder; wanted the name of a file");
        }
    }

    static void write(GgufWriter writer, Path target, PrintWriter out) {
        try (var progress = Progress.of("writing", writer.dataBytes(), "MiB", 1 << 20)) {
            writer.write(target, progress::advanceTo);
        }
        report(target, out);
    }

    /** One line about a file that was written. */
    static void report(Path file, PrintWriter out) {
        try {
            out.println(file + ": " + Mebibytes.of(Files.size(file)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
