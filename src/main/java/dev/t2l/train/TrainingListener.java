package dev.t2l.train;

import java.util.OptionalDouble;
import java.util.OptionalLong;

/** Who follows a run. Called by the run's thread, which waits. */
public interface TrainingListener {
    /** Follows nothing. */
    TrainingListener NONE = new TrainingListener() { };

    /**
     * Where a run is after a step.
     *
     * @param step            number of steps taken
     * @param steps           of the whole run
     * @param rate            learning rate of the step
     * @param result          losses and norm of the step
     * @param tokensPerSecond over the last steps; 0 where no tokens are
     * @param utilisation     share of the device's dense bf16 product, as measured before the run, that the step's necessary operations
     *                        reached (MFU); empty where there is no such product
     * @param secondsLeft     at the pace of the last steps
     * @param peakMib         of the device, else of the process; empty if unknown
     */
    record Progress(long step, long steps, double rate, StepResult result, double tokensPerSecond, OptionalDouble utilisation, double secondsLeft, OptionalLong peakMib) {
    }

    /** News worth a line: what is trained on what, the memory plan, the checkpoint that a run goes on from. */
    default void note(String text) {
    }

    default void step(Progress progress) {
    }

    /** @param best lowest so far */
    default void validated(long step, double loss, boolean best) {
    }
}
