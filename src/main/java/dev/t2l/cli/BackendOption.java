package dev.t2l.cli;

import dev.t2l.backend.Backend;
import picocli.CommandLine.Option;

/** The option {@code --backend} of commands that compute: {@code @Mixin private BackendOption backend;}. */
final class BackendOption {
    @Option(names = "--backend", paramLabel = "NAME", description = "What computes: cuda (an NVIDIA GPU), cpu (native code) or java. Default: the best that this machine has.")
    private String name;

    /** The backend that was asked for, else the best one; the caller closes it. */
    Backend open() {
        return name == null ? Backend.best() : Backend.open(name);
    }
}
