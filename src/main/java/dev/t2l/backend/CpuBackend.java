package dev.t2l.backend;

/** Placeholder until the native library is bound. */
final class CpuBackend {
    static Backend open() {
        throw new BackendUnavailableException("the native library was not built");
    }
}
