package dev.t2l.eval;

import java.util.List;
import java.util.OptionalInt;

/**
 * What the model said, and what it found likely.
 *
 * @param tokens      generated, its end not counted
 * @param ended       whether it ended by itself
 * @param likelihoods of the question's options: the mean natural logarithm of their tokens' probabilities, without an end behind them
 */
record Answer(String text, int tokens, boolean ended, List<Double> likelihoods) {
    Answer {
        likelihoods = List.copyOf(likelihoods);
    }

    /** The likeliest option, of equals the first; empty without options. */
    OptionalInt choice() {
        int best = 0;
        for (int i = 1; i < likelihoods.size(); i++) {
            best = likelihoods.get(i) > likelihoods.get(best) ? i : best;
        }
        return likelihoods.isEmpty() ? OptionalInt.empty() : OptionalInt.of(best);
    }
}
