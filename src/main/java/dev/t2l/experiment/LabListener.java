package dev.t2l.experiment;

import dev.t2l.eval.EvalListener;
import dev.t2l.train.TrainingListener;

/** Who watches experiments. */
public interface LabListener {
    /** Watches nothing. */
    LabListener NONE = new LabListener() { };

    /** Something worth a line. */
    default void note(String text) {
    }

    /** Something went wrong that does not matter for the numbers. */
    default void warning(String text) {
    }

    /** Who watches the training that begins now. */
    default TrainingListener training() {
        return TrainingListener.NONE;
    }

    /** Who watches the evaluation that begins now. */
    default EvalListener evaluation() {
        return new EvalListener() { };
    }
}
