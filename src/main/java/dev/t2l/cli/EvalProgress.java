package dev.t2l.cli;

import dev.t2l.eval.EvalListener;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** An evaluation on standard error: a bar where a person watches, else a line now and then. */
final class EvalProgress implements EvalListener, AutoCloseable {
    private static final int WIDTH = 120;
    private static final long SILENCE = Duration.ofSeconds(30).toNanos();

    private final PrintWriter err;
    private final boolean live;
    private final long start = System.nanoTime();
    private ProgressBar bar;
    private long told = start;

    EvalProgress(PrintWriter err) {
        this(err, Terminal::isStandardError);
    }

    EvalProgress(PrintWriter err, BooleanSupplier terminal) {
        this.err = err;
        this.live = terminal.getAsBoolean();
    }

    /** Something worth a line. */
    void note(String text) {
        close();
        err.println(text);
    }

    @Override
    public void answered(String column, long done, long total) {
        if (live) {
            if (bar == null) {
                bar = new ProgressBarBuilder().setTaskName("answers").setInitialMax(total).setStyle(ProgressBarStyle.ASCII).setUpdateIntervalMillis(200)
                        .setMaxRenderedLength(WIDTH).setConsumer(new DelegatingProgressBarConsumer(this::draw, WIDTH)).build();
            }
            bar.setExtraMessage(column);
            bar.stepTo(done);
        } else if (done == total || System.nanoTime() - told > SILENCE) {
            told = System.nanoTime();
            long left = Math.round((told - start) * 1e-9 * (total - done) / done);
            err.println(String.format(Locale.ROOT, "%d of %d answers, %s; ETA %d:%02d:%02d", done, total, column, left / 3600, left / 60 % 60, left % 60));
        }
    }

    private void draw(String line) {
        err.print("\r" + line);
        err.flush();
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
