package dev.t2l.cli;

import java.io.PrintStream;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/**
 * A progress bar on standard error for work that takes over two seconds; nothing if standard error is no terminal.
 *
 * <pre>{@code
 * try (var progress = Progress.of("reading", file.size(), "MiB", 1 << 20)) {
 *     progress.advanceTo(bytesRead);
 * }
 * }</pre>
 *
 * All methods may be called from any thread.
 */
final class Progress implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(2);
    private static final int WIDTH = 79;

    private final PrintStream err;
    private final ProgressBarBuilder builder;
    private final Thread opener;
    private ProgressBar bar;
    private long done;
    private boolean closed;

    private Progress(PrintStream err, ProgressBarBuilder builder, Duration patience, BooleanSupplier terminal) {
        this.err = err;
        this.builder = builder;
        this.opener = Thread.ofVirtual().name("progress").start(() -> {
            try {
                Thread.sleep(patience);
                if (terminal.getAsBoolean()) {
                    open(patience);
                }
            } catch (InterruptedException _) {
                // the work was done before the bar was due
            }
        });
    }

    /**
     * Begins to wait.
     *
     * @param total the work in steps; negative if unknown
     * @param unit  what the bar counts, each worth {@code stepsPerUnit} steps
     */
    static Progress of(String task, long total, String unit, long stepsPerUnit) {
        return of(System.err, task, total, unit, stepsPerUnit, PATIENCE, Terminal::isStandardError);
    }

    static Progress of(PrintStream err, String task, long total, String unit, long stepsPerUnit, Duration patience, BooleanSupplier terminal) {
        var builder = new ProgressBarBuilder().setTaskName(task).setInitialMax(total).setUnit(" " + unit, stepsPerUnit)
                .setStyle(ProgressBarStyle.ASCII).setUpdateIntervalMillis(200);
        return new Progress(err, builder, patience, terminal);
    }

    /** Tells how many steps are done in all. */
    synchronized void advanceTo(long steps) {
        done = steps;
        if (bar != null) {
            bar.stepTo(steps);
        }
    }

    private synchronized void open(Duration elapsed) {
        if (!closed) {
            bar = builder.startsFrom(0, elapsed).setConsumer(new DelegatingProgressBarConsumer(this::draw, WIDTH)).build();
            bar.stepTo(done);
        }
    }

    private void draw(String line) {
        err.print("\r" + line);
        err.flush();
    }

    /** Ends the bar's line, if there is one. */
    @Override
    public void close() {
        opener.interrupt();
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        if (bar != null) {
            bar.close();
            err.println();
        }
    }
}
