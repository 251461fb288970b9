package dev.t2l.eval;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FingerprintTest {
    @TempDir
    Path folder;

    @Test
    void subfoldersCountAndHiddenOnesDoNot() throws IOException {
        Files.writeString(folder.resolve("config.json"), "{}");
        String flat = Fingerprint.of(folder);
        Files.createDirectories(folder.resolve(".cache"));
        Files.writeString(folder.resolve(".cache/when"), "now");
        assertEquals(flat, Fingerprint.of(folder));
        Path pooling = Files.createDirectories(folder.resolve("1_Pooling")).resolve("config.json");
        Files.writeString(pooling, "cls");
        String cls = Fingerprint.of(folder);
        assertNotEquals(flat, cls);
        Files.writeString(pooling, "mean");
        assertNotEquals(cls, Fingerprint.of(folder));
    }
}
