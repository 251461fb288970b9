package dev.t2l;

import static org.junit.jupiter.api.Assertions.fail;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** Where the golden cases and the real models are, and how values are compared with them. */
public final class Golden {
    private static final ObjectMapper JSON = new ObjectMapper();

    private Golden() {
    }

    /** {@code -Dt2l.fixtures}, else ../shared/fixtures, else the small copy in this repository. */
    public static Path root() {
        String property = System.getProperty("t2l.fixtures");
        if (property != null) {
            return Path.of(property);
        }
        Path shared = Path.of("../shared/fixtures");
        return Files.isDirectory(shared) ? shared : Path.of("src/test/golden");
    }

    /** {@code -Dt2l.models}, else T2L_MODELS, else ../shared/models; may not exist. */
    public static Path models() {
        String chosen = System.getProperty("t2l.models", System.getenv("T2L_MODELS"));
        return Path.of(chosen != null ? chosen : "../shared/models");
    }

    /** The folders with a case.json below a family; none if the family is absent. A family that is one case is itself the folder. */
    public static List<Path> cases(String family) {
        Path folder = root().resolve(family);
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        if (Files.exists(folder.resolve("case.json"))) {
            return List.of(folder);
        }
        try (Stream<Path> all = Files.list(folder)) {
            return all.filter(p -> Files.exists(p.resolve("case.json"))).sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public static JsonNode json(Path file) {
        try {
            return JSON.readTree(file.toFile());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The case's own case.json. */
    public static JsonNode description(Path caseFolder) {
        return json(caseFolder.resolve("case.json"));
    }

    /** Fails unless {@code |got - want| <= atol + rtol*|want|} everywhere; a NaN fails. */
    public static void assertClose(String what, float[] want, float[] got, double rtol, double atol) {
        if (want.length != got.length) {
            fail(what + ": wanted " + want.length + " values, got " + got.length);
        }
        double worst = 0;
        int place = -1;
        for (int i = 0; i < want.length; i++) {
            double excess = Math.abs((double) got[i] - want[i]) / (atol + rtol * Math.abs(want[i]));
            if (!(excess <= worst)) {
                worst = excess;
                place = i;
                if (Double.isNaN(excess)) {
                    break;
                }
            }
        }
        if (!(worst <= 1)) {
            fail(String.format(Locale.ROOT, "%s: value %d is %g, wanted %g: %.2f times the tolerance (rtol %g, atol %g)", what, place, got[place], want[place], worst, rtol, atol));
        }
    }
}
