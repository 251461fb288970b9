package dev.t2l.io;

import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

class GgufGoldenTest {

    @TestFactory
    Stream<DynamicTest> filesAreReadOrRefused() {
        return FormatFamily.files("gguf_bad").map(file -> DynamicTest.dynamicTest(file.name(), () -> file.check(path -> Gguf.open(path).close())));
    }
}
