package dev.t2l.experiment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeout;

import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CommitTest {
    private static Optional<String> said(String script, Duration patience) {
        return Commit.said(new ProcessBuilder("sh", "-c", script), patience);
    }

    @Test
    void whatIsSaidInTimeCounts() {
        assertEquals(Optional.of("abc"), said("echo abc", Duration.ofSeconds(20)));
        assertEquals(Optional.empty(), said("echo abc; exit 1", Duration.ofSeconds(20)));
        assertEquals(Optional.empty(), Commit.said(new ProcessBuilder("no-such-program"), Duration.ofSeconds(20)));
    }

    /** One that never ends, one that speaks and never ends, one that closes its output and never ends. */
    @ParameterizedTest
    @ValueSource(strings = {"exec sleep 9", "echo abc; exec sleep 9", "exec >&-; exec sleep 9"})
    void nobodyWaitsLongForAnAnswer(String script) {
        assertEquals(Optional.empty(), assertTimeout(Duration.ofSeconds(6), () -> said(script, Duration.ofMillis(200))));
    }
}
