package dev.t2l.train;

import java.nio.file.Path;
import java.util.OptionalDouble;

/** What a {@link TrainingRun} drives: parameters, and a step that changes them. */
interface Trainee extends AutoCloseable {
    /**
     * What a step showed.
     *
     * @param tokens that went through the base, 0 without one
     * @param flops  of the products that the step cannot do without: recomputed ones do not count
     */
    record Step(StepResult result, long tokens, double flops) {
    }

    Parameters parameters();

    Optimiser optimiser();

    /** What memory it takes, a line each, and the sum. */
    String plan();

    /**
     * Step t, from 0, of which everything but the parameters is a function of t.
     *
     * @param rate learning rate
     * @throws TrainingException if a gradient is not finite; the parameters stay as they were
     */
    Step step(long t, double rate);

    /** The loss of what is held out, with nothing random; empty if nothing is. */
    OptionalDouble validate();

    /** Writes what was trained, as it is now, into an empty folder. */
    void save(Path folder);

    @Override
    void close();
}
