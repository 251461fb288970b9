package dev.t2l.backend;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** Which backends there are, and the choice between them. */
public final class Backends {
    private static final System.Logger LOG = System.getLogger("dev.t2l");

    /**
     * One backend on this machine: opened and described, or why not.
     *
     * @param details {@link Backend#details}
     */
    public record Status(String name, boolean available, String detail, Map<String, String> details) {
    }

    private enum Kind {
        CUDA(CudaBackend::open), CPU(CpuBackend::open), JAVA(JavaBackend::new);

        final Supplier<Backend> opener;

        Kind(Supplier<Backend> opener) {
            this.opener = opener;
        }

        String label() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }
    }

    private Backends() {
    }

    static Backend best() {
        String forced = System.getProperty("t2l.backend");
        if (forced != null) {
            return open(forced);
        }
        var reasons = new ArrayList<String>();
        for (Kind kind : Kind.values()) {
            try {
                Backend backend = kind.opener.get();
                LOG.log(System.Logger.Level.INFO, "backend: {0}{1}", backend.description(), reasons.isEmpty() ? "" : "; not " + String.join(", not ", reasons));
                return backend;
            } catch (BackendUnavailableException e) {
                reasons.add(kind.label() + " (" + e.getMessage() + ")");
            }
        }
        throw new BackendUnavailableException("no backend: " + reasons);
    }

    static Backend open(String name) {
        for (Kind kind : Kind.values()) {
            if (kind.label().equals(name)) {
                return kind.opener.get();
            }
        }
        throw new BackendUnavailableException("no backend is called '" + name + "'; there are " + names());
    }

    /** The names {@link Backend#open} knows, best first. */
    public static List<String> names() {
        return java.util.Arrays.stream(Kind.values()).map(Kind::label).toList();
    }

    /** Every backend, tried. */
    public static List<Status> survey() {
        var all = new ArrayList<Status>();
        for (Kind kind : Kind.values()) {
            try (Backend backend = kind.opener.get()) {
                all.add(new Status(kind.label(), true, backend.description(), backend.details()));
            } catch (BackendUnavailableException e) {
                all.add(new Status(kind.label(), false, e.getMessage(), Map.of()));
            }
        }
        return all;
    }
}
