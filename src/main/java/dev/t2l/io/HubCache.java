package dev.t2l.io;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The cache of models that Hugging Face's libraries share: {@code models--<owner>--<name>/} with {@code refs/<revision>} (a commit),
 * {@code snapshots/<commit>/<file>} (links) and {@code blobs/<checksum>}.
 */
public record HubCache(Path root) {
    private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");

    /** {@code HF_HUB_CACHE}, else {@code HF_HOME/hub}, else {@code ~/.cache/huggingface/hub}. */
    public static HubCache standard() {
        return of(System.getenv(), Path.of(System.getProperty("user.home")));
    }

    static HubCache of(Map<String, String> environment, Path home) {
        String cache = environment.get("HF_HUB_CACHE");
        String hf = environment.get("HF_HOME");
        String general = environment.get("XDG_CACHE_HOME");
        if (cache != null) {
            return new HubCache(Path.of(cache));
        }
        Path base = hf != null ? Path.of(hf) : (general != null ? Path.of(general) : home.resolve(".cache")).resolve("huggingface");
        return new HubCache(base.resolve("hub"));
    }

    /** The snapshot of a model (or the path in it), if it is there. */
    public Optional<Path> find(HubId id) {
        return commit(id).map(commit -> snapshot(id, commit).resolve(id.path())).filter(Files::exists);
    }

    Path folder(HubId id) {
        return root.resolve("models--" + id.owner() + "--" + id.name());
    }

    Path snapshot(HubId id, String commit) {
        return folder(id).resolve("snapshots").resolve(commit);
    }

    Path blob(HubId id, String checksum) {
        return folder(id).resolve("blobs").resolve(checksum);
    }

    /** Remembers which commit a revision is. */
    void remember(HubId id, String commit) {
        if (!id.revision().equals(commit)) {
            AtomicFile.write(reference(id), commit.getBytes(StandardCharsets.US_ASCII));
        }
    }

    static boolean isCommit(String text) {
        return COMMIT.matcher(text).matches();
    }

    private Path reference(HubId id) {
        return folder(id).resolve("refs").resolve(id.revision());
    }

    private Optional<String> commit(HubId id) {
        if (isCommit(id.revision())) {
            return Optional.of(id.revision());
        }
        Path reference = reference(id);
        try {
            return Files.isRegularFile(reference) && Files.size(reference) < 100
                    ? Optional.of(Files.readString(reference, StandardCharsets.ISO_8859_1).strip()).filter(HubCache::isCommit) : Optional.empty();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
