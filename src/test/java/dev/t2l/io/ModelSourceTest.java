package dev.t2l.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelSourceTest {
    private static final byte[] WEIGHTS = new byte[300_000];

    @TempDir
    Path folder;
    private FakeHub hub;
    private HubCache cache;
    private final Map<String, Long> progress = new HashMap<>();

    @BeforeEach
    void start() throws IOException {
        for (int i = 0; i < WEIGHTS.length; i++) {
            WEIGHTS[i] = (byte) (i * 7 + i / 256);
        }
        hub = new FakeHub();
        hub.small("config.json", "{\"a\": 1}".getBytes());
        hub.large("model.safetensors", WEIGHTS);
        hub.small("1_Pooling/config.json", "{}".getBytes());
        hub.small("README.md", "not wanted".getBytes());
        cache = new HubCache(folder.resolve("hub"));
    }

    @AfterEach
    void stop() {
        hub.close();
    }

    private HubDownload download() {
        return new HubDownload(hub.uri(), "secret", (file, bytes, total) -> progress.put(file, bytes));
    }

    private Path fetch(String source) {
        return ModelSource.resolve(source, cache, download());
    }

    private String failure(String source) {
        return assertThrows(UncheckedIOException.class, () -> fetch(source)).getMessage();
    }

    @Test
    void downloadsOnceAndThenResolvesOffline() throws IOException {
        Path model = fetch("owner/model");
        assertArrayEquals(WEIGHTS, Files.readAllBytes(model.resolve("model.safetensors")));
        assertEquals("{}", Files.readString(model.resolve("1_Pooling/config.json")));
        assertFalse(Files.exists(model.resolve("README.md")));
        assertEquals(WEIGHTS.length, progress.get("model.safetensors"));
        assertTrue(Files.isSymbolicLink(model.resolve("config.json")));
        int requests = hub.bodies.size();
        fetch("owner/model");
        assertEquals(requests, hub.bodies.size(), "nothing is fetched twice");
        hub.close();
        assertEquals(model, ModelSource.resolve("owner/model", cache, null));
        assertEquals(model, ModelSource.resolve("owner/model@" + FakeHub.COMMIT, cache, null));
        assertEquals(model.resolve("1_Pooling"), ModelSource.resolve("owner/model/1_Pooling", cache, null));
        assertEquals(model, fetch("owner/model"), "the cached copy serves when the hub is away");
    }

    @Test
    void theTokenGoesToTheHubOnly() {
        fetch("owner/model");
        assertEquals("Bearer secret", hub.tokens.get("/owner/model/resolve/" + FakeHub.COMMIT + "/config.json"));
        assertTrue(hub.tokens.containsKey("/storage/model.safetensors"));
        assertNull(hub.tokens.get("/storage/model.safetensors"));
    }

    @Test
    void aBrokenConnectionIsResumed() throws IOException {
        hub.breakAfter("model.safetensors", 100_000);
        Path model = fetch("owner/model");
        assertArrayEquals(WEIGHTS, Files.readAllBytes(model.resolve("model.safetensors")));
        assertTrue(hub.ranges.stream().anyMatch(r -> r.startsWith("bytes=") && !r.equals("bytes=0-")), hub.ranges.toString());
    }

    @Test
    void aLaterTryGoesOnWhereAnEarlierOneEnded() throws IOException {
        Path incomplete = cache.blob(HubId.parse("owner/model").orElseThrow(), hub.checksum("model.safetensors") + ".incomplete");
        Files.createDirectories(incomplete.getParent());
        Files.write(incomplete, Arrays.copyOf(WEIGHTS, 1234));
        fetch("owner/model");
        assertEquals(List.of("bytes=1234-"), hub.ranges);
        assertFalse(Files.exists(incomplete));
    }

    @Test
    void aWrongChecksumIsThrownAway() throws IOException {
        hub.corrupt("config.json");
        assertThrownAway("config.json");
        hub.small("config.json", "{}".getBytes());
        hub.corrupt("model.safetensors");
        assertThrownAway("model.safetensors");
    }

    private void assertThrownAway(String file) throws IOException {
        String message = failure("owner/model");
        assertTrue(message.contains(file) && message.contains("checksum"), message);
        try (var left = Files.walk(cache.root())) {
            assertTrue(left.noneMatch(p -> p.toString().endsWith(".incomplete")));
        }
        assertThrows(UncheckedIOException.class, () -> ModelSource.resolve("owner/model", cache, null));
    }

    @Test
    void aFileOrFolderIsItself() throws IOException {
        Path file = Files.writeString(folder.resolve("a.gguf"), "x");
        assertEquals(file, ModelSource.resolve(file));
        assertEquals(folder, ModelSource.resolve(folder.toString()));
    }

    @Test
    void whatIsNowhereIsNamed() {
        assertTrue(assertThrows(UncheckedIOException.class, () -> ModelSource.resolve("owner/other", cache, null)).getMessage().contains("--download"));
        assertTrue(assertThrows(UncheckedIOException.class, () -> ModelSource.resolve("/no/such/folder", cache, null)).getMessage().contains("/no/such/folder"));
        assertTrue(failure("owner/other").contains("404"), failure("owner/other"));
    }

    @Test
    void namesThatLeaveTheFolderAreRefused() {
        hub.small("../../escape.json", "{}".getBytes());
        assertTrue(failure("owner/model").contains("outside"), failure("owner/model"));
    }

    @Test
    void oneOfSeveralGgufFilesMustBeNamed() {
        hub.large("a.gguf", WEIGHTS);
        hub.large("b.gguf", WEIGHTS);
        assertTrue(failure("owner/model").contains("owner/model/a.gguf"), failure("owner/model"));
        assertEquals("b.gguf", fetch("owner/model/b.gguf").getFileName().toString());
        assertEquals(1, hub.bodies.stream().filter(b -> b.endsWith(".gguf")).count());
    }

    @Test
    void hubIds() {
        assertEquals(new HubId("a", "b-c.d", "main", ""), HubId.parse("a/b-c.d").orElseThrow());
        assertEquals(new HubId("a", "b", "v1", "x/y"), HubId.parse("a/b@v1/x/y").orElseThrow());
        for (String none : new String[] {"a", "/a/b", "./a", "a/b/", "a/../b", "a/b/../c", "a//b", "a/b@", "../a", "a/b\\c/d"}) {
            assertTrue(HubId.parse(none).isEmpty(), none);
        }
    }

    @Test
    void theCacheIsWhereTheEnvironmentSays() {
        assertEquals(Path.of("x"), HubCache.of(Map.of("HF_HUB_CACHE", "x", "HF_HOME", "y"), folder).root());
        assertEquals(Path.of("y/hub"), HubCache.of(Map.of("HF_HOME", "y"), folder).root());
        assertEquals(folder.resolve(".cache/huggingface/hub"), HubCache.of(Map.of(), folder).root());
    }
}
