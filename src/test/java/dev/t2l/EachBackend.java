package dev.t2l;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Backends;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;

/** One test a golden case and available backend. */
public final class EachBackend {
    private EachBackend() {
    }

    /** A test's body. */
    @FunctionalInterface
    public interface Body {
        void run(Path folder, Backend backend) throws Exception;
    }

    /** Whether the variable T2L_REQUIRE names it, so that its absence is a failure. */
    public static boolean required(String what) {
        return List.of(Objects.requireNonNullElse(System.getenv("T2L_REQUIRE"), "").split("[, ]+")).contains(what);
    }

    /** Names of the backends of this machine; fails if T2L_REQUIRE names one that is not here. */
    public static List<String> available() {
        var names = new ArrayList<String>();
        for (Backends.Status status : Backends.survey()) {
            if (status.available()) {
                names.add(status.name());
            } else if (required(status.name())) {
                throw new AssertionError("T2L_REQUIRE names " + status.name() + ": " + status.detail());
            }
        }
        return names;
    }

    /** The elements of a tensor in the backend's memory. */
    public static float[] floats(Backend backend, Tensor tensor) {
        try (Arena arena = Arena.ofConfined()) {
            return backend.host(arena, tensor).toFloats();
        }
    }

    /** {@code body} for every case of a family on every backend. */
    public static Stream<DynamicTest> of(String family, Body body) {
        var tests = new ArrayList<DynamicTest>();
        for (Path folder : Golden.cases(family)) {
            for (String name : available()) {
                tests.add(DynamicTest.dynamicTest(folder.getFileName() + " on " + name, () -> {
                    try (Backend backend = Backend.open(name)) {
                        body.run(folder, backend);
                    }
                }));
            }
        }
        return tests.stream();
    }
}
