package dev.t2l.cli;

import dev.t2l.train.TrainingListener;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** A run on standard error: a live line with a bar where a person watches, else a line now and then. */
final class TrainingProgress implements TrainingListener, AutoCloseable {
    private static final int WIDTH = 160;
    private static final long SILENCE = Duration.ofSeconds(30).toNanos();

    private final PrintWriter err;
    private final boolean live;
    private ProgressBar bar;
    private long told;

    TrainingProgress(PrintWriter err) {
        this(err, Terminal::isStandardError);
    }

    TrainingProgress(PrintWriter err, BooleanSupplier terminal) {
        this.err = err;
        this.live = terminal.getAsBoolean();
    }

    @Override
    public void note(String text) {
        pause();
        err.println(text);
    }

    @Override
    public void step(Progress now) {
        if (!live) {
            if (told == 0 || now.step() == now.steps() || System.nanoTime() - told > SILENCE) {
                told = System.nanoTime();
                err.println("step " + now.step() + "/" + now.steps() + " " + figures(now) + " " + left(now.secondsLeft()));
            }
            return;
        }
        if (bar == null) {
            bar = new ProgressBarBuilder().setTaskName("step").setInitialMax(now.steps()).startsFrom(now.step() - 1, Duration.ZERO).setStyle(ProgressBarStyle.ASCII)
                    .setUpdateIntervalMillis(200).hideEta().setMaxRenderedLength(WIDTH).setConsumer(new DelegatingProgressBarConsumer(this::draw, WIDTH)).build();
        }
        bar.setExtraMessage(figures(now) + " " + left(now.secondsLeft()));
        bar.stepTo(now.step());
    }

    /** Loss, learning rate, gradient norm, tokens a second, MFU, peak memory. */
    static String figures(Progress now) {
        var text = new StringBuilder(String.format(Locale.ROOT, "loss %.4f lr %.2e norm %.3g", now.result().loss(), now.rate(), now.result().gradientNorm()));
        if (now.tokensPerSecond() > 0) {
            text.append(String.format(Locale.ROOT, " %,.0f tok/s", now.tokensPerSecond()));
        }
        now.utilisation().ifPresent(share -> text.append(String.format(Locale.ROOT, " MFU %.1f %%", 100 * share)));
        now.peakMib().ifPresent(mib -> text.append(String.format(Locale.ROOT, " %,d MiB", mib)));
        return text.toString();
    }

    private static String left(double seconds) {
        long s = Math.round(seconds);
        return String.format(Locale.ROOT, "ETA %d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
    }

    @Override
    public void validated(long step, double loss, boolean best) {
        note(String.format(Locale.ROOT, "step %d: validation loss %.4f%s", step, loss, best ? ", the lowest so far" : ""));
        told = System.nanoTime();
    }

    private void draw(String line) {
        err.print("\r" + line);
        err.flush();
    }

    private void pause() {
        if (bar != null) {
            bar.close();
            bar = null;
            err.println();
        }
    }

    @Override
    public void close() {
        pause();
    }
}
