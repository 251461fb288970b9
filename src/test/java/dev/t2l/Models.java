package dev.t2l;

import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.nio.file.Files;
import java.nio.file.Path;

/** The real models of tests tagged {@code models}. */
public final class Models {
    private Models() {
    }

    /** A file or folder below {@link Golden#models}; skips the test if it is absent, or fails it if T2L_REQUIRE names models. */
    public static Path require(String... path) {
        Path found = Golden.models();
        for (String part : path) {
            found = found.resolve(part);
        }
        if (!Files.exists(found)) {
            String reason = found + " is not here";
            if (EachBackend.required("models")) {
                fail(reason);
            }
            abort(reason);
        }
        return found;
    }
}
