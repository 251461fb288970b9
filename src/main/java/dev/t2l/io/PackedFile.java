package dev.t2l.io;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/**
 * A model file that was packed with gzip (RFC 1952). It is unpacked once, into T2L's cache, under a name with the packed file's checksum; where
 * the cache cannot be written, into a temporary file of this process.
 */
final class PackedFile {
    static final String END = ".gz";
    private static final System.Logger LOG = System.getLogger("dev.t2l.io");
    private static final int TRAILER = 4;
    private static final int PIECE = 1 << 16;

    private PackedFile() {
    }

    /**
     * The unpacked file.
     *
     * @throws FormatException if the packed one is damaged
     */
    static Path unpacked(Path packed, Path cache) {
        try {
            byte[] content = Files.readAllBytes(packed);
            String name = packed.getFileName().toString();
            Path target = cache.resolve("unpacked").resolve(checksum(content) + "-" + name.substring(0, name.length() - END.length()));
            if (Files.isRegularFile(target) && Files.size(target) == statedSize(packed, content)) {
                return target;
            }
            try {
                AtomicFile.write(target, channel -> unpack(packed, statedSize(packed, content), channel));
                return target;
            } catch (UncheckedIOException e) {
                LOG.log(System.Logger.Level.INFO, "{0} is unpacked for this time only, for {1} cannot be written: {2}", packed, target, e.getMessage());
                Path once = Files.createTempFile("t2l", "-" + name.substring(0, name.length() - END.length()));
                once.toFile().deleteOnExit();
                AtomicFile.write(once, channel -> unpack(packed, statedSize(packed, content), channel));
                return once;
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Of what is in it, modulo 2^32: the last field of the file. */
    private static long statedSize(Path packed, byte[] content) {
        if (content.length < TRAILER) {
            throw new FormatException(packed, "gzip trailer", "the file is cut off");
        }
        return Integer.toUnsignedLong(ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN).getInt(content.length - TRAILER));
    }

    private static void unpack(Path packed, long size, FileChannel out) throws IOException {
        try (InputStream in = new GZIPInputStream(Files.newInputStream(packed), PIECE)) {
            byte[] piece = new byte[PIECE];
            long done = 0;
            for (int n; (n = in.read(piece)) >= 0; done += n) {
                if (done + n > size) {
                    throw new FormatException(packed, "gzip trailer", "says that " + size + " bytes are in it, there are more");
                }
                ByteBuffer bytes = ByteBuffer.wrap(piece, 0, n);
                while (bytes.hasRemaining()) {
                    out.write(bytes);
                }
            }
            if (done != size) {
                throw new FormatException(packed, "gzip trailer", "says that " + size + " bytes are in it, there are " + done);
            }
        } catch (ZipException | EOFException e) {
            throw new FormatException(packed, "gzip", "damaged: " + e.getMessage());
        }
    }

    private static String checksum(byte[] content) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content), 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
