package dev.t2l.cli;

import dev.t2l.train.TrainingListener;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import me.tongfei.progressbar.ProgressBarBuilder;

/** A run on standard error. */
final class TrainingProgress implements TrainingListener, AutoCloseable {
    private static final int WIDTH = 160;

    private final StatusLine line;
    private boolean begun;

    TrainingProgress(PrintWriter err) {
        this(err, Terminal::isStandardError);
    }

    TrainingProgress(PrintWriter err, BooleanSupplier terminal) {
        this.line = new StatusLine(err, terminal, WIDTH);
    }

    @Override
    public void note(String text) {
        line.tell(text);
    }

    @Override
    public void step(Progress now) {
        String figures = figures(now) + " " + StatusLine.eta(now.secondsLeft());
        if (line.live()) {
            line.show(() -> new ProgressBarBuilder().setTaskName("step").setInitialMax(now.steps()).startsFrom(now.step() - 1, Duration.ZERO).hideEta(), now.step(), figures);
        } else if (!begun || now.step() == now.steps() || line.silent()) {
            line.tell("step " + now.step() + "/" + now.steps() + " " + figures);
        }
        begun = true;
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

    @Override
    public void validated(long step, double loss, boolean best) {
        line.tell(String.format(Locale.ROOT, "step %d: validation loss %.4f%s", step, loss, best ? ", the lowest so far" : ""));
    }

    @Override
    public void close() {
        line.close();
    }
}
