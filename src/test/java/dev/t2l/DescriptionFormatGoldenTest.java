package dev.t2l;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** The preparation of descriptions, against the reference's own. */
class DescriptionFormatGoldenTest {

    @TestFactory
    Stream<DynamicTest> formatting() {
        Path file = Golden.root().resolve("end_to_end/formatting/expected.json");
        var tests = new ArrayList<DynamicTest>();
        if (Files.exists(file)) {
            Golden.json(file).forEach(entry -> tests.add(dynamicTest("'" + entry.get("text").asText() + "'", () -> check(entry))));
        }
        return tests.stream();
    }

    private static void check(JsonNode entry) {
        String text = entry.get("text").asText();
        if (entry.has("error")) {
            assertThrows(IllegalArgumentException.class, () -> DescriptionFormat.FULL_STOP.apply(text));
        } else {
            assertEquals(entry.get("full_stop").asText(), DescriptionFormat.FULL_STOP.apply(text));
        }
        String unquoted = DescriptionFormat.unquoted(text);
        assertEquals(entry.get("cli").asText(), unquoted);
        if (entry.has("cli_full_stop")) {
            assertEquals(entry.get("cli_full_stop").asText(), DescriptionFormat.FULL_STOP.apply(unquoted));
        }
        assertEquals(entry.get("sfr").asText(), DescriptionFormat.INSTRUCTION.apply(text));
    }

    @Test
    void whiteSpaceIsPythons() {
        for (int c = 0; c < 0x10000; c++) {
            boolean space = "\t\n\u000b\f\r\u001c\u001d\u001e\u001f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
                    .indexOf(c) >= 0;
            assertEquals(space ? "x" : (char) c + "x" + (char) c, DescriptionFormat.strip((char) c + "x" + (char) c), Integer.toHexString(c));
        }
    }

    @Test
    void lettersOutsideTheBasicPlaneGetAFullStop() {
        assertEquals("\uD835\uDC00.", DescriptionFormat.FULL_STOP.apply("\uD835\uDC00")); // mathematical bold A, category Lu
        assertEquals("\uD835\uDFCE", DescriptionFormat.FULL_STOP.apply("\uD835\uDFCE"));  // mathematical bold 0, category Nd
    }
}
