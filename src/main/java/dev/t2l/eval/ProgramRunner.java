package dev.t2l.eval;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Runs Python programs that a model wrote, each in a process of its own: without network (a network namespace of its own, {@code unshare}), with
 * {@value #SECONDS} seconds of processor time, {@value #MIB} MiB of memory and files of {@value #FILE_KIB} KiB at most ({@code ulimit}), in an empty folder,
 * with an empty environment; whatever it started ends with it, after twice these seconds at the latest. Limits are of a process: one that a program starts
 * has as much again. Files are not shut off: a program can read and delete what its user can, so run this where there is nothing to lose, in a
 * container. Thread-safe.
 */
public final class ProgramRunner {
    private static final System.Logger LOG = System.getLogger("dev.t2l.eval");
    static final int SECONDS = 10;
    static final int MIB = 1024;
    static final int FILE_KIB = 1024;
    private static final List<String> FLAGS = List.of("--net", "--pid", "--fork", "--kill-child");
    /** Without user namespaces it is the machine's root who runs programs, and could lift every limit and go back to the network. */
    private static final List<String> POWERLESS = List.of("setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all");
    /** Fails unless every limit holds, and stays. 192.0.2.1 is nobody's (RFC 5737), and no packet is sent. */
    private static final String PROBE = """
            import resource, socket
            for name, most in (("RLIMIT_CPU", %d), ("RLIMIT_AS", %d), ("RLIMIT_FSIZE", %d)):
                soft, hard = resource.getrlimit(getattr(resource, name))
                assert 0 < hard <= most, name
            try:
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("192.0.2.1", 9))
            except OSError:
                pass
            else:
                raise AssertionError("there is a network")
            try:
                resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            except (OSError, ValueError):
                pass
            else:
                raise AssertionError("limits can be lifted")
            """;

    private final List<String> command;
    private final Duration patience;

    private ProgramRunner(List<String> command, int seconds) {
        this.command = command;
        this.patience = Duration.ofSeconds(2L * seconds);
    }

    /**
     * Finds out how this machine can hold programs back.
     *
     * @throws IllegalStateException if it cannot: nothing is ever run with a limit less
     */
    public static ProgramRunner open() {
        return open(SECONDS);
    }

    static ProgramRunner open(int seconds) {
        List<String> problems = new ArrayList<>();
        for (List<String> user : List.of(List.of("--user", "--map-root-user"), List.<String>of())) {
            List<String> unshare = new ArrayList<>(List.of("unshare"));
            unshare.addAll(user);
            unshare.addAll(FLAGS);
            unshare.addAll(user.isEmpty() ? POWERLESS : List.of());
            unshare.addAll(List.of("sh", "-c", "ulimit -t %d && ulimit -v %d && ulimit -f %d && ulimit -c 0 && exec python3 -I -B \"$0\""
                    .formatted(seconds, MIB << 10, FILE_KIB * 2)));
            var runner = new ProgramRunner(List.copyOf(unshare), seconds);
            String said;
            try {
                Outcome outcome = runner.run(PROBE.formatted(seconds, (long) MIB << 20, FILE_KIB << 10));
                if (outcome.passed()) {
                    return runner;
                }
                said = outcome.output().lines().reduce((_, last) -> last).orElse("no answer");
            } catch (UncheckedIOException e) {
                said = e.getCause().getMessage();
            }
            problems.add("'" + String.join(" ", unshare.subList(0, unshare.size() - 1)) + "': " + said);
        }
        throw new IllegalStateException("programs cannot be kept from network, memory and time here, so none is run: " + String.join("; ", problems)
                + "; HINT: wanted Linux with python3, and unshare with user namespaces, or unshare and setpriv as root");
    }

    /**
     * Whether a program runs to its end.
     *
     * @throws UncheckedIOException  if it could not be started, such as on a full disk: nothing is known of it then
     * @throws IllegalStateException if the thread is interrupted
     */
    public boolean passes(String program) {
        return run(program).passed();
    }

    /** @param output of both kinds, as far as it was allowed */
    record Outcome(boolean passed, String output) {
    }

    Outcome run(String program) {
        String end = "end of program " + UUID.randomUUID(); // one that leaves early has not passed
        Path folder = null;
        try {
            folder = Files.createTempDirectory("t2l-program");
            Path source = Files.writeString(folder.resolve("program.py"), program + "\nprint()\nprint('" + end + "')\n");
            Path empty = Files.createDirectory(folder.resolve("work"));
            Path output = folder.resolve("output");
            List<String> whole = new ArrayList<>(command);
            whole.add(source.toAbsolutePath().toString());
            ProcessBuilder builder = new ProcessBuilder(whole).directory(empty.toFile()).redirectErrorStream(true).redirectOutput(output.toFile())
                    .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()));
            String path = System.getenv("PATH");
            builder.environment().clear();
            builder.environment().put("PATH", path == null ? "/usr/bin:/bin" : path);
            return wait(builder.start(), output, end);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            delete(folder);
        }
    }

    private Outcome wait(Process process, Path output, String end) throws IOException {
        try {
            boolean ended = process.waitFor(patience.toSeconds(), TimeUnit.SECONDS);
            if (!ended) {
                process.descendants().forEach(ProcessHandle::destroyForcibly);
                process.destroyForcibly().waitFor();
            }
            String said = new String(Files.readAllBytes(output), StandardCharsets.UTF_8);
            return new Outcome(ended && process.exitValue() == 0 && said.stripTrailing().endsWith(end), said);
        } catch (InterruptedException e) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while a program ran", e);
        }
    }

    private static void delete(Path folder) {
        if (folder == null) {
            return;
        }
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path one : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(one);
            }
        } catch (IOException | UncheckedIOException e) { // a program may have locked what it made
            LOG.log(System.Logger.Level.WARNING, "{0} could not be removed: {1}", folder, e.getMessage());
        }
    }
}
