package dev.t2l.cli;

import dev.t2l.eval.EvalListener;
import java.io.PrintWriter;
import java.util.function.BooleanSupplier;
import me.tongfei.progressbar.ProgressBarBuilder;

/** An evaluation on standard error. */
final class EvalProgress implements EvalListener, AutoCloseable {
    private static final int WIDTH = 120;

    private final StatusLine line;
    private final long start = System.nanoTime();

    EvalProgress(PrintWriter err) {
        this(err, Terminal::isStandardError);
    }

    EvalProgress(PrintWriter err, BooleanSupplier terminal) {
        this.line = new StatusLine(err, terminal, WIDTH);
    }

    /** Something worth a line. */
    void note(String text) {
        line.note(text);
    }

    @Override
    public void answered(String column, long done, long total) {
        if (line.live()) {
            line.show(() -> new ProgressBarBuilder().setTaskName("answers").setInitialMax(total), done, column);
        } else if (done == total || line.silent()) {
            double left = (System.nanoTime() - start) * 1e-9 * (total - done) / done;
            line.tell(done + " of " + total + " answers, " + column + "; " + StatusLine.eta(left));
        }
    }

    @Override
    public void close() {
        line.close();
    }
}
