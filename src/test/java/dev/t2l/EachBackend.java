package dev.t2l;

import dev.t2l.backend.Backend;
import dev.t2l.backend.Backends;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
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

    /** Names of the backends of this machine. */
    public static List<String> available() {
        return Backends.survey().stream().filter(Backends.Status::available).map(Backends.Status::name).toList();
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
