package dev.t2l.eval;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** Short names of contents: 64 bits of SHA-256. */
public final class Fingerprint {
    private static final int PIECE = 1 << 20;

    private Fingerprint() {
    }

    /**
     * Of a file, or the files of a folder and its subfolders, hidden ones left out: names, sizes, and of each the first, the middle and the last MiB.
     */
    public static String of(Path path) {
        MessageDigest digest = sha256();
        try (Stream<Path> files = Files.isDirectory(path) ? Files.walk(path) : Stream.of(path)) {
            for (Path file : files.filter(file -> Files.isRegularFile(file) && !inHiddenFolder(path, file)).sorted().toList()) {
                try (FileChannel channel = FileChannel.open(file)) {
                    long size = channel.size();
                    digest.update((name(path, file) + "\0" + size + "\0").getBytes(StandardCharsets.UTF_8));
                    for (long at : new long[] {0, Math.max(0, size / 2 - PIECE / 2), Math.max(0, size - PIECE)}) {
                        var piece = ByteBuffer.allocate((int) Math.min(PIECE, size - at));
                        while (piece.hasRemaining() && channel.read(piece, at + piece.position()) > 0) {
                            continue;
                        }
                        digest.update(piece.flip());
                    }
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return hex(digest);
    }

    private static String name(Path root, Path file) {
        return file.equals(root) ? file.getFileName().toString() : root.relativize(file).toString().replace('\\', '/');
    }

    /** What tools keep beside a model, such as {@code .git} or {@code .cache}, changes without it. */
    private static boolean inHiddenFolder(Path root, Path file) {
        Path folder = root.relativize(file).getParent();
        return folder != null && StreamSupport.stream(folder.spliterator(), false).anyMatch(part -> part.toString().startsWith("."));
    }

    /** Of texts in order. */
    public static String of(List<String> texts) {
        MessageDigest digest = sha256();
        for (String text : texts) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            digest.update(ByteBuffer.allocate(4).putInt(bytes.length).flip());
            digest.update(bytes);
        }
        return hex(digest);
    }

    private static String hex(MessageDigest digest) {
        return HexFormat.of().formatHex(digest.digest(), 0, 8);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
