package dev.t2l.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ProgressTest {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final PrintStream err = new PrintStream(bytes, true);

    @Test
    void shortWorkShowsNothing() {
        try (var progress = Progress.of(err, "reading", 10, "files", 1, Duration.ofMinutes(1), () -> true)) {
            progress.advanceTo(10);
        }
        assertEquals("", bytes.toString());
    }

    @Test
    void longWorkShowsABarOnATerminal() throws InterruptedException {
        var drawn = new CountDownLatch(1);
        var watched = new PrintStream(bytes, true) {
            @Override
            public void flush() {
                super.flush();
                drawn.countDown();
            }
        };
        try (var progress = Progress.of(watched, "reading", 8, "files", 1, Duration.ofMillis(1), () -> true)) {
            progress.advanceTo(3);
            assertTrue(drawn.await(20, TimeUnit.SECONDS));
            progress.advanceTo(8);
        }
        assertTrue(bytes.toString().contains("\rreading"), bytes.toString());
        assertTrue(bytes.toString().contains("8/8 files"), bytes.toString());
        assertTrue(bytes.toString().endsWith(System.lineSeparator()), bytes.toString());
    }

    @Test
    void longWorkShowsNothingElsewhere() throws InterruptedException {
        var asked = new CountDownLatch(1);
        try (var progress = Progress.of(err, "reading", 8, "files", 1, Duration.ofMillis(1), () -> {
            asked.countDown();
            return false;
        })) {
            assertTrue(asked.await(20, TimeUnit.SECONDS));
            progress.advanceTo(8);
        }
        assertEquals("", bytes.toString());
    }

    /** The processes of a build have pipes. */
    @Test
    void aPipeIsNoTerminal() {
        assertFalse(Terminal.isStandardError());
    }
}
