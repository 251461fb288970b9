package dev.t2l.io;

import java.nio.file.Path;
import java.util.Map;

/** The folder of this user that T2L keeps what it can make or fetch again. */
public final class CacheFolder {
    private CacheFolder() {
    }

    /** {@code T2L_CACHE}, else {@code $XDG_CACHE_HOME/t2l}, else {@code ~/.cache/t2l}; on macOS {@code ~/Library/Caches/t2l}. */
    public static Path standard() {
        return of(System.getenv(), Path.of(System.getProperty("user.home")), System.getProperty("os.name"));
    }

    static Path of(Map<String, String> environment, Path home, String system) {
        String chosen = environment.getOrDefault("T2L_CACHE", "");
        String general = environment.getOrDefault("XDG_CACHE_HOME", "");
        if (!chosen.isBlank()) {
            return Path.of(chosen);
        }
        if (system.startsWith("Mac")) {
            return home.resolve("Library/Caches/t2l");
        }
        return (general.isBlank() ? home.resolve(".cache") : Path.of(general)).resolve("t2l");
    }
}
