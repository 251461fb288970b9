package dev.t2l.experiment;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** The commit of the sources that run: {@code T2L_COMMIT}, else what git says of the folder that the launcher names. */
final class Commit {
    private static final long PATIENCE = 5; // seconds

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
        try {
            var builder = new ProcessBuilder("git", "-C", home).redirectError(ProcessBuilder.Redirect.DISCARD);
            builder.command().addAll(List.of(arguments));
            Process process = builder.start();
            String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            return process.waitFor(PATIENCE, TimeUnit.SECONDS) && process.exitValue() == 0 ? Optional.of(said) : Optional.empty();
        } catch (IOException _) {
            return Optional.empty();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }
}
