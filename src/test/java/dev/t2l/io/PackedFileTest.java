package dev.t2l.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Packed models: unpacked once, never half. */
class PackedFileTest {
    @TempDir
    Path folder;
    private Path packed;
    private Path cache;
    private final byte[] content = new byte[200_000];

    @BeforeEach
    void pack() throws IOException {
        for (int i = 0; i < content.length; i++) {
            content[i] = (byte) (i * i >> 3);
        }
        packed = folder.resolve("model.gguf.gz");
        cache = folder.resolve("cache");
        write(content);
    }

    private void write(byte[] bytes) throws IOException {
        try (var out = new GZIPOutputStream(Files.newOutputStream(packed))) {
            out.write(bytes);
        }
    }

    @Test
    void isUnpackedOnceForEachContent() throws IOException {
        Path first = PackedFile.unpacked(packed, cache);
        assertArrayEquals(content, Files.readAllBytes(first));
        assertTrue(first.startsWith(cache) && first.toString().endsWith("-model.gguf"), first.toString());
        Files.setLastModifiedTime(first, java.nio.file.attribute.FileTime.fromMillis(5000));
        assertEquals(first, PackedFile.unpacked(packed, cache));
        assertEquals(5000, Files.getLastModifiedTime(first).toMillis(), "not written again");
        Files.write(first, new byte[10]);
        assertArrayEquals(content, Files.readAllBytes(PackedFile.unpacked(packed, cache)), "what is left of an interrupted copy is replaced");
        write(Arrays.copyOf(content, 1000));
        assertNotEquals(first, PackedFile.unpacked(packed, cache));
    }

    @Test
    void aCacheThatCannotBeWrittenIsNoObstacle() throws IOException {
        Files.writeString(cache, "a file where the folder would be");
        Path found = PackedFile.unpacked(packed, cache);
        assertArrayEquals(content, Files.readAllBytes(found));
        assertFalse(found.startsWith(cache));
        Files.delete(found);
    }

    @Test
    void damagedFilesAreRefusedAndLeaveNothing() throws IOException {
        byte[] whole = Files.readAllBytes(packed);
        Files.write(packed, Arrays.copyOf(whole, whole.length / 2));
        assertThrows(FormatException.class, () -> PackedFile.unpacked(packed, cache));
        Files.write(packed, new byte[] {1, 2});
        assertThrows(FormatException.class, () -> PackedFile.unpacked(packed, cache));
        whole[whole.length / 2] ^= 4;
        Files.write(packed, whole);
        assertThrows(FormatException.class, () -> PackedFile.unpacked(packed, cache));
        try (Stream<Path> left = Files.walk(cache)) {
            assertEquals(0, left.filter(Files::isRegularFile).count());
        }
    }
}
