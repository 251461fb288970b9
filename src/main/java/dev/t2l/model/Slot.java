package dev.t2l.model;

/** A place in the batch of a {@link ContinuousGenerator}, and in its cache. */
final class Slot {
    private static final double[] NONE = {};

    ContinuousGenerator.Entrant entrant; // whose prompt the cache holds; null if nobody's
    boolean running;
    int length;    // tokens so far, the prompt included
    int generated;
    int last;      // the newest token
    double[] likelihoods = NONE;

    void enter(ContinuousGenerator.Entrant next) {
        entrant = next;
        running = true;
        length = next.prompt().length;
        generated = 0;
        likelihoods = NONE;
    }
}
