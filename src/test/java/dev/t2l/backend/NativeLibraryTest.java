package dev.t2l.backend;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Naming, extraction and loading of the native library, the choice of instruction sets, and backends after their end. */
class NativeLibraryTest {
    @TempDir
    Path cache;

    private static String built() {
        String resource = NativeLibrary.resource(System.getProperty("os.name"), System.getProperty("os.arch"));
        assumeTrue(NativeLibrary.class.getResource(resource) != null, "the native library was not built");
        return resource;
    }

    @Test
    void resourcesAreNamedByPlatform() {
        assertEquals("/native/linux-x86_64/libt2l.so", NativeLibrary.resource("Linux", "amd64"));
        assertEquals("/native/linux-aarch64/libt2l.so", NativeLibrary.resource("Linux", "aarch64"));
        assertEquals("/native/macos-aarch64/libt2l.dylib", NativeLibrary.resource("Mac OS X", "aarch64"));
        var windows = assertThrows(BackendUnavailableException.class, () -> NativeLibrary.resource("Windows 11", "amd64"));
        assertTrue(windows.getMessage().contains("Windows 11"), windows.getMessage());
        assertThrows(BackendUnavailableException.class, () -> NativeLibrary.resource("Linux", "riscv64"));
    }

    @Test
    void extractsOnceAndRepairsWhatWasChanged() throws Exception {
        String resource = built();
        Path file = NativeLibrary.extract(resource, cache);
        byte[] library = Files.readAllBytes(file);
        assertEquals(64, file.getParent().getFileName().toString().length());
        Object key = Files.readAttributes(file, java.nio.file.attribute.BasicFileAttributes.class).fileKey();
        assertEquals(file, NativeLibrary.extract(resource, cache));
        assertEquals(key, Files.readAttributes(file, java.nio.file.attribute.BasicFileAttributes.class).fileKey());
        Files.write(file, new byte[] {1, 2, 3});
        NativeLibrary.extract(resource, cache);
        assertArrayEquals(library, Files.readAllBytes(file));
        try (var left = Files.list(file.getParent())) {
            assertEquals(List.of(file), left.toList());
        }
    }

    /** A file is where the cache should be; the library is still found, elsewhere. */
    @Test
    void aCacheThatCannotBeWrittenCostsNoKernels() throws Exception {
        String resource = built();
        Path file = NativeLibrary.extract(resource, Files.writeString(cache.resolve("file"), ""));
        try {
            assertFalse(file.startsWith(cache));
            assertArrayEquals(Files.readAllBytes(NativeLibrary.extract(resource, cache)), Files.readAllBytes(file));
        } finally {
            Files.delete(file);
        }
    }

    @Test
    void aMissingLibraryIsAnUnavailableBackend() {
        var e = assertThrows(BackendUnavailableException.class, () -> NativeLibrary.extract("/native/none/libt2l.so", cache));
        assertTrue(e.getMessage().contains("/native/none/libt2l.so"), e.getMessage());
    }

    @Test
    void describesItself() {
        built();
        try (Backend cpu = CpuBackend.open(Isa.BASELINE, 3)) {
            assertEquals("cpu", cpu.name());
            assertEquals("cpu (baseline, 3 threads)", cpu.description());
        }
    }

    @Test
    void refusesCallsAfterClose() {
        built();
        Backend cpu = CpuBackend.open(Isa.BASELINE, 1);
        cpu.close();
        cpu.close();
        var x = new KernelData().normal(4);
        assertThrows(IllegalStateException.class, () -> cpu.add(x, x, 1));
    }

    /** A JVM whose pool has worked and sleeps exits by itself, at once; the property caps the instruction set. */
    @Test
    void theJvmExitsAtOnce() throws Exception {
        built();
        var command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "--enable-native-access=ALL-UNNAMED"));
        command.addAll(List.of("-Dt2l.backend=cpu", "-Dt2l.isa=baseline", "-Dt2l.threads=3", "-Dt2l.native.dir=" + cache));
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), BusyPool.class.getName()));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        List<String> lines;
        long said;
        try (var out = process.inputReader()) {
            lines = new ArrayList<>(List.of(out.readLine()));
            said = System.nanoTime();
            lines.addAll(out.lines().toList());
        }
        int code = process.waitFor();
        double seconds = (System.nanoTime() - said) / 1e9;
        assertEquals(List.of("cpu (baseline, 3 threads)"), lines);
        assertEquals(0, code);
        assertTrue(seconds < 3, () -> "the JVM took " + seconds + " s to end");
        assertTrue(Files.list(cache).count() > 0, "the library was extracted to t2l.native.dir");
    }

    /** Leaves a backend open and its threads in the middle of their spinning. */
    static final class BusyPool {
        public static void main(String... args) {
            Backend backend = Backend.best();
            var data = new KernelData();
            var x = data.normal(64, 512);
            var w = data.normal(512, 512);
            var y = KernelData.zeros(64, 512);
            for (int i = 0; i < 20; i++) {
                backend.linear(y, x, w, null);
            }
            System.out.println(backend.description());
        }
    }
}
