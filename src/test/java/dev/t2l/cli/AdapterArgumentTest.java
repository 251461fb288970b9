package dev.t2l.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine.TypeConversionException;

class AdapterArgumentTest {
    @ParameterizedTest
    @CsvSource({"maths, maths, 1", "maths:0.5, maths, 0.5", "a/b.gguf:2, a/b.gguf, 2", "a:b, a:b, 1", "a:b:-1.5e1, a:b, -15", "x:.25, x, 0.25", "x:1., x, 1",
            "x:, x:, 1", "x:NaN, x:NaN, 1", "v1.2, v1.2, 1", "x:0, x, 0"})
    void aNumberAfterTheLastColonIsTheScale(String argument, String path, float scale) {
        assertEquals(new AdapterArgument(Path.of(path), scale), AdapterArgument.parse(argument));
    }

    @Test
    void aScaleBeyondFloatIsRefused() {
        assertThrows(TypeConversionException.class, () -> AdapterArgument.parse("x:1e99"));
    }
}
