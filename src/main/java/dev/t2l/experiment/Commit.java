package dev.t2l.experiment;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The commit of the sources that run: {@code T2L_COMMIT}, else what git says of the folder that the launcher names. */
final class Commit {
    private static final Duration PATIENCE = Duration.ofSeconds(5);

    private Commit() {
    }

    /** Empty if nobody knows; with {@code +} behind it if files were changed since. */
    static Optional<String> current() {
        String given = System.getenv("T2L_COMMIT");
        if (given != null && !given.isBlank()) {
            return Optional.of(given.strip());
        }
        String home = System.getProperty("t2l.home", ".");
        return git(home, "rev-parse", "--short=12", "HEAD").map(commit -> commit + (git(home, "status", "--porcelain", "-uno").filter(String::isEmpty).isPresent() ? "" : "+"));
    }

    private static Optional<String> git(String home, String... arguments) {
        var builder = new ProcessBuilder("git", "-C", home);
        builder.command().addAll(List.of(arguments));
        return said(builder, PATIENCE);
    }

    /** What a program says, if it ends well in time; until it ends it may keep its output open and say nothing. */
    static Optional<String> said(ProcessBuilder builder, Duration patience) {
        long until = System.nanoTime() + patience.toNanos();
        try {
            Process process = builder.redirectError(ProcessBuilder.Redirect.DISCARD).start();
            try {
                var reading = new FutureTask<>(() -> new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip());
                Thread.ofPlatform().daemon().name("t2l-commit").start(reading);
                String said = reading.get(patience.toNanos(), TimeUnit.NANOSECONDS);
                return process.waitFor(until - System.nanoTime(), TimeUnit.NANOSECONDS) && process.exitValue() == 0 ? Optional.of(said) : Optional.empty();
            } finally {
                process.destroyForcibly();
            }
        } catch (IOException | ExecutionException | TimeoutException _) {
            return Optional.empty();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }
}
