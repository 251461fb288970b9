package dev.t2l.demo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.io.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The file that {@code t2l eval --table} writes, read again. */
class RecordedTierTest {
    private static final String ABOUT = "{\"verdict\": \"It is so.\", \"commit\": \"abc\", \"commands\": [\"t2l eval\"], \"device\": \"a GPU\", \"log\": \"eval.log\"}";
    private static final String TABLE = """
            | task          | constant answer |        t2l |
            |---------------|----------------:|-----------:|
            | one           |            10.0 | 20.0 ± 1.5 |
            | **mean of 1** |        **10.0** |   **20.0** |
            | 95 % interval |    10.0 to 10.0 | 1.0 to 2.0 |
            | by description |                 | 20.0, 20.0 |

            | t2l less | points | 95 % interval |
            |----------|-------:|--------------:|
            | constant |  +10.0 | +1.0 to +20.0 |
            """;

    @TempDir
    Path folder;

    private void write(String about, String table) throws IOException {
        Files.writeString(folder.resolve(RecordedTier.ABOUT), about);
        Files.writeString(folder.resolve(RecordedTier.TABLE), table);
    }

    @Test
    void bothTablesAreRead() throws IOException {
        write(ABOUT, TABLE);
        RecordedTier tier = RecordedTier.read(folder).orElseThrow();
        assertEquals(List.of("constant answer", "t2l"), tier.columns());
        assertEquals(List.of("one", "10.0", "20.0 ± 1.5"), tier.scores().get(1));
        assertEquals(List.of("mean of 1", "10.0", "20.0"), tier.scores().get(2));
        assertEquals(List.of("by description", "", "20.0, 20.0"), tier.scores().get(4));
        assertEquals(List.of(List.of("t2l less", "points", "95 % interval"), List.of("constant", "+10.0", "+1.0 to +20.0")), tier.differences());
        assertEquals("abc", tier.about().commit());
    }

    @Test
    void scoresByLikelihoodAreNoDifferences() throws IOException {
        write(ABOUT, "| task | t2l |\n|---|---|\n| one | 1.0 |\n\nTasks with options\n\n| task | t2l |\n|---|---|\n| one | 2.0 |\n");
        RecordedTier tier = RecordedTier.read(folder).orElseThrow();
        assertEquals(List.of("one", "1.0"), tier.scores().get(1));
        assertEquals(List.of(), tier.differences());
    }

    @Test
    void noFolderIsNoTable() {
        assertEquals(Optional.empty(), RecordedTier.read(folder.resolve("none")));
    }

    @Test
    void brokenFilesAreRefused() throws IOException {
        write("{\"commit\": \"abc\"}", TABLE);
        assertTrue(assertThrows(FormatException.class, () -> RecordedTier.read(folder)).getMessage().contains("verdict"));
        write("{", TABLE);
        assertThrows(FormatException.class, () -> RecordedTier.read(folder));
        write(ABOUT, "nothing");
        assertThrows(FormatException.class, () -> RecordedTier.read(folder));
        write(ABOUT, "| a | b |\n|---|---|\n| 1 |\n");
        assertThrows(FormatException.class, () -> RecordedTier.read(folder));
    }
}
