package dev.t2l.cli;

import dev.t2l.eval.EvalListener;
import dev.t2l.experiment.LabListener;
import dev.t2l.train.TrainingListener;
import java.io.PrintWriter;

/** Experiments on standard error: of trainings and evaluations the one that goes on. */
final class LabProgress implements LabListener, AutoCloseable {
    private final PrintWriter err;
    private AutoCloseable current = () -> { };

    LabProgress(PrintWriter err) {
        this.err = err;
    }

    @Override
    public void note(String text) {
        close();
        err.println(text);
    }

    @Override
    public void warning(String text) {
        note("warning: " + text);
    }

    @Override
    public TrainingListener training() {
        close();
        var next = new TrainingProgress(err);
        current = next;
        return next;
    }

    @Override
    public EvalListener evaluation() {
        close();
        var next = new EvalProgress(err);
        current = next;
        return next;
    }

    @Override
    public void close() {
        try {
            current.close();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
        current = () -> { };
    }
}
