package dev.t2l.train;

/** Training that cannot go on: a loss or gradient that is no finite number, said with the step and where. */
public final class TrainingException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public TrainingException(String message) {
        super(message);
    }
}
