package dev.t2l.train;

import dev.t2l.backend.Noise;

/** What a random number is for: each purpose has a stream of its own in each step, so that nothing depends on what was drawn before. */
enum Purpose {
    INITIALISATION, EPOCH, SAMPLES, STEP;

    /** @param at a step, an epoch, or 0 */
    long seed(long seed, long at) {
        return Noise.seed(Noise.seed(seed, ordinal()), at);
    }
}
