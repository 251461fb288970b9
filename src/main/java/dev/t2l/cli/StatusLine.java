package dev.t2l.cli;

import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** Where long work has come, on standard error: a live bar where a person watches, else a line now and then. */
final class StatusLine implements AutoCloseable {
    private static final long SILENCE = Duration.ofSeconds(30).toNanos();

    private final PrintWriter err;
    private final boolean live;
    private final int width;
    private ProgressBar bar;
    private long told = System.nanoTime();

    /** @param width of a live line at most */
    StatusLine(PrintWriter err, BooleanSupplier terminal, int width) {
        this.err = err;
        this.live = terminal.getAsBoolean();
        this.width = width;
    }

    boolean live() {
        return live;
    }

    /**
     * Draws the live bar.
     *
     * @param begin makes it, when there is none
     */
    void show(Supplier<ProgressBarBuilder> begin, long done, String extra) {
        if (bar == null) {
            bar = begin.get().setStyle(ProgressBarStyle.ASCII).setUpdateIntervalMillis(200).setMaxRenderedLength(width)
                    .setConsumer(new DelegatingProgressBarConsumer(this::draw, width)).build();
        }
        bar.setExtraMessage(extra);
        bar.stepTo(done);
    }

    private void draw(String line) {
        err.print("\r" + line);
        err.flush();
    }

    /** Whether nothing was told for long. */
    boolean silent() {
        return System.nanoTime() - told > SILENCE;
    }

    /** Something worth a line of its own; a live bar begins again below it. */
    void note(String text) {
        close();
        err.println(text);
    }

    /** The same, about where the work has come. */
    void tell(String text) {
        note(text);
        told = System.nanoTime();
    }

    /** {@code ETA 0:01:30}. */
    static String eta(double seconds) {
        long s = Math.round(seconds);
        return String.format(Locale.ROOT, "ETA %d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
    }

    /** Ends the bar's line, if there is one. */
    @Override
    public void close() {
        if (bar != null) {
            bar.close();
            bar = null;
            err.println();
        }
    }
}
