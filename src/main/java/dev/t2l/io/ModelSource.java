package dev.t2l.io;

import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** Where a model is: a folder, a file, or a hub id that is looked up in the local cache. */
public final class ModelSource {
    private static final System.Logger LOG = System.getLogger("dev.t2l.io");

    private ModelSource() {
    }

    /**
     * A path that exists (a file {@code .gz} unpacked), else the snapshot of {@code owner/name[@revision][/path]} in the cache. Nothing is downloaded.
     *
     * @throws UncheckedIOException if there is neither
     */
    public static Path resolve(String source) {
        return resolve(source, HubCache.standard(), null);
    }

    /** A path that exists. */
    public static Path resolve(Path source) {
        return resolve(source.toString());
    }

    /**
     * As {@link #resolve(String)}, but a hub id is first brought up to date from its hub.
     *
     * @throws UncheckedIOException if there is no such model, a download fails and the cache has none, or a checksum is wrong
     */
    public static Path resolve(String source, HubDownload download) {
        return resolve(source, HubCache.standard(), download);
    }

    /** @param download null to stay offline */
    static Path resolve(String source, HubCache cache, HubDownload download) {
        Path local = local(source);
        if (local != null && Files.exists(local)) {
            return source.endsWith(PackedFile.END) && Files.isRegularFile(local) ? PackedFile.unpacked(local, CacheFolder.standard()) : local;
        }
        HubId id = HubId.parse(source).orElseThrow(() -> missing(source, "there is no such file or folder, and it is no hub id (owner/name)"));
        if (download != null) {
            try {
                return download.fetch(id, cache);
            } catch (UncheckedIOException e) {
                if (e.getCause() instanceof HubDownload.ChecksumException || cache.find(id).isEmpty()) {
                    throw e;
                }
                LOG.log(System.Logger.Level.WARNING, "{0}: using the cached copy, for the hub did not answer: {1}", id, e.getMessage());
            }
        }
        return cache.find(id).orElseThrow(() -> missing(source, "there is no such file or folder, and the cache " + cache.root()
                + " has no such model; HINT: --download fetches it"));
    }

    private static Path local(String source) {
        try {
            return Path.of(source);
        } catch (InvalidPathException e) {
            return null;
        }
    }

    private static UncheckedIOException missing(String source, String why) {
        return new UncheckedIOException(new NoSuchFileException(source, null, why));
    }
}
