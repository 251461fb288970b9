package dev.t2l.cli;

import com.sun.management.OperatingSystemMXBean;
import dev.t2l.backend.Backends;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;

/** {@code t2l doctor}: what this machine offers, and why a backend is missing. Exit code 1 if the backend to be used is. */
@Command(name = "doctor", description = "Shows the JDK, the memory and the backends of this machine, and why one is missing.")
final class Doctor implements Callable<Integer> {
    @Mixin
    private Result result;

    /** Sizes in bytes. {@code backend} is what a command would use now, null if it could not be had. */
    record Report(String version, Jdk java, Machine machine, long heapLimit, long memory, long freeMemory, List<Backends.Status> backends, String backend) {
    }

    record Jdk(String version, String vendor, String home) {
    }

    record Machine(String os, String osVersion, String arch, int processors) {
    }

    @Override
    public Integer call() {
        Report report = examine();
        result.print(report, Doctor::text);
        return report.backend() == null ? ExitCode.SOFTWARE : ExitCode.OK;
    }

    private static Report examine() {
        var java = new Jdk(Runtime.version().toString(), System.getProperty("java.vendor"), System.getProperty("java.home"));
        var machine = new Machine(System.getProperty("os.name"), System.getProperty("os.version"), System.getProperty("os.arch"),
                Runtime.getRuntime().availableProcessors());
        var memory = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        List<Backends.Status> backends = Backends.survey();
        return new Report(Version.current(), java, machine, Runtime.getRuntime().maxMemory(), memory.getTotalMemorySize(), memory.getFreeMemorySize(),
                backends, chosen(backends));
    }

    private static String chosen(List<Backends.Status> backends) {
        String forced = System.getProperty("t2l.backend");
        return backends.stream().filter(b -> b.available() && (forced == null || forced.equals(b.name())))
                .map(Backends.Status::name).findFirst().orElse(null);
    }

    private static String text(Report report) {
        var text = new StringBuilder();
        line(text, "t2l", report.version());
        line(text, "Java", report.java().version() + " (" + report.java().vendor() + "), " + report.java().home());
        Machine machine = report.machine();
        line(text, "system", machine.os() + " " + machine.osVersion() + ", " + machine.arch() + ", " + machine.processors()
                + (machine.processors() == 1 ? " processor" : " processors"));
        line(text, "memory", gib(report.memory()) + ", free " + gib(report.freeMemory()) + "; Java heap at most " + gib(report.heapLimit()));
        for (Backends.Status backend : report.backends()) {
            String mark = backend.name().equals(report.backend()) ? "used: " : backend.available() ? "there: " : "missing: ";
            line(text, "backend " + backend.name(), mark + backend.detail());
            backend.details().forEach((what, value) -> line(text, "  " + what, value));
        }
        if (report.backend() == null) {
            line(text, "", "no backend can be used; -Dt2l.backend=" + System.getProperty("t2l.backend"));
        }
        return text.toString();
    }

    private static void line(StringBuilder text, String what, String value) {
        text.append(String.format(Locale.ROOT, "%-14s%s%n", what, value));
    }

    private static String gib(long bytes) {
        return String.format(Locale.ROOT, "%.1f GiB", bytes / (double) (1L << 30));
    }
}
