package dev.t2l.backend;

import dev.t2l.io.CacheFolder;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Locale;

/**
 * The shared library of CPU kernels: found among the resources as {@code native/<os>-<arch>/libt2l.so}, copied once into the
 * user's cache under its SHA-256, opened once and never unloaded. Where the cache cannot be written, it is copied to a temporary file of this
 * process.
 *
 * <p>The cache is {@link CacheFolder#standard}; {@code -Dt2l.native.dir=DIR} replaces it, for homes from which nothing may be executed.
 */
final class NativeLibrary {
    private static final System.Logger LOG = System.getLogger("dev.t2l");
    private static SymbolLookup opened;

    private NativeLibrary() {
    }

    /**
     * The library's symbols.
     *
     * @throws BackendUnavailableException if the platform has no library, it was not built, or cannot be copied or loaded
     */
    static synchronized SymbolLookup open() {
        if (opened == null) {
            opened = load(resource(System.getProperty("os.name"), System.getProperty("os.arch")), cache());
        }
        return opened;
    }

    /** The resource's name for a platform, by the JVM's names of it. */
    static String resource(String os, String arch) {
        String lower = os.toLowerCase(Locale.ROOT);
        String system = lower.startsWith("linux") ? "linux" : lower.startsWith("mac") ? "macos" : null;
        String processor = switch (arch) {
            case "amd64", "x86_64" -> "x86_64";
            case "aarch64", "arm64" -> "aarch64";
            default -> null;
        };
        if (system == null || processor == null) {
            throw new BackendUnavailableException("there are no native kernels for " + os + " on " + arch + ", only for Linux and macOS on x86_64 and aarch64");
        }
        return "/native/" + system + "-" + processor + "/libt2l." + (system.equals("linux") ? "so" : "dylib");
    }

    /** The folder that libraries are copied to. */
    static Path cache() {
        String chosen = System.getProperty("t2l.native.dir");
        return chosen != null ? Path.of(chosen) : CacheFolder.standard();
    }

    private static SymbolLookup load(String resource, Path cache) {
        try {
            return SymbolLookup.libraryLookup(extract(resource, cache), Arena.global());
        } catch (IOException e) {
            throw new BackendUnavailableException("the native library cannot be copied to " + cache + " (choose another folder with -Dt2l.native.dir): " + e, e);
        } catch (IllegalArgumentException e) {
            throw new BackendUnavailableException("the native library in " + cache + " cannot be loaded (if nothing may be executed there, choose another folder with -Dt2l.native.dir): " + e.getMessage(), e);
        } catch (IllegalCallerException e) {
            throw new BackendUnavailableException("the JVM forbids native access: " + e.getMessage(), e);
        }
    }

    /** Copies the library to {@code cache/<sha-256>/libt2l.so} unless it lies there, or to a temporary file, and checks what lies there. */
    static Path extract(String resource, Path cache) throws IOException {
        byte[] library;
        try (InputStream in = NativeLibrary.class.getClassLoader().getResourceAsStream(resource.substring(1))) {
            if (in == null) {
                throw new BackendUnavailableException("the native library was not built: no resource " + resource);
            }
            library = in.readAllBytes();
        }
        byte[] hash = sha256(library);
        Path target = cache.resolve(HexFormat.of().formatHex(hash)).resolve(resource.substring(resource.lastIndexOf('/') + 1));
        if (holds(target, hash)) {
            return target;
        }
        try {
            write(library, target);
        } catch (IOException e) {
            LOG.log(System.Logger.Level.INFO, "the native library is copied for this time only, for {0} cannot be written: {1}", target, e);
            target = Files.createTempFile("t2l", "-" + target.getFileName()); // for this user alone
            target.toFile().deleteOnExit();
            Files.write(target, library);
        }
        if (!holds(target, hash)) {
            throw new IOException(target + " does not hold what was written to it");
        }
        return target;
    }

    private static void write(byte[] library, Path target) throws IOException {
        Files.createDirectories(target.getParent());
        Path fresh = Files.createTempFile(target.getParent(), "libt2l", ".tmp");
        try {
            Files.write(fresh, library);
            Files.move(fresh, target, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(fresh);
        }
    }

    private static boolean holds(Path file, byte[] hash) throws IOException {
        return Files.isRegularFile(file) && Arrays.equals(sha256(Files.readAllBytes(file)), hash);
    }

    private static byte[] sha256(byte[] data) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(data);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
