package dev.t2l.io;

import java.io.IOException;
import java.nio.file.Path;

/** Somewhere that a {@link PublishedFile} can be fetched from. */
interface FileSource {
    /** For messages. */
    String label();

    /**
     * Brings the file to {@code target}, whole and with the right checksum or not at all. One process at a time does so.
     *
     * @param target does not exist, its folder does
     */
    void fetch(PublishedFile file, Path target) throws IOException, InterruptedException;
}
