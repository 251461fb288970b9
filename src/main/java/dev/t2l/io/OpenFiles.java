package dev.t2l.io;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Files mapped on the way to a result; closed again unless the result was reached and {@link #keep} called. */
final class OpenFiles implements AutoCloseable {
    private List<MappedFile> files = new ArrayList<>();

    MappedFile add(Path path) {
        MappedFile file = MappedFile.open(path);
        files.add(file);
        return file;
    }

    /** Hands the files over to whoever closes them from now on. */
    List<MappedFile> keep() {
        List<MappedFile> kept = List.copyOf(files);
        files = List.of();
        return kept;
    }

    @Override
    public void close() {
        files.forEach(MappedFile::close);
    }
}
