package dev.t2l.train;

import dev.t2l.backend.Noise;
import dev.t2l.tensor.Projection;

/**
 * What keeps training from learning its samples by heart.
 *
 * @param smoothing   share of the label's probability that is spread over the whole vocabulary (Szegedy et al. 2016)
 * @param loraDropout probability with which an element of an adapter's input is dropped, at every projection by itself
 * @param neftune     alpha of NEFTune's noise on embeddings (Jain et al. 2023); its magnitude is alpha / sqrt(L H), L the padded length
 * @param seed        of this pass's random numbers: another one for each step, and for each batch of a step. Noise on embeddings draws from
 *                    {@link Noise#seed}(seed, 0), dropout in layer l before the projection of ordinal p from Noise.seed(seed, 1 + 7l + p)
 */
public record Regularisation(float smoothing, float loraDropout, float neftune, long seed) {
    /** None at all. */
    public static final Regularisation NONE = smoothing(0);

    /** @throws IllegalArgumentException if a number is out of its range */
    public Regularisation {
        if (!(smoothing >= 0 && smoothing < 1) || !(loraDropout >= 0 && loraDropout < 1) || !(neftune >= 0) || Float.isInfinite(neftune)) {
            throw new IllegalArgumentException("label smoothing and dropout are at least 0 and below 1, NEFTune's alpha at least 0; got " + smoothing + ", "
                    + loraDropout + ", " + neftune);
        }
    }

    /** Label smoothing and nothing random. */
    public static Regularisation smoothing(float smoothing) {
        return new Regularisation(smoothing, 0, 0, 0);
    }

    /** The same strengths with other random numbers. */
    public Regularisation seeded(long other) {
        return new Regularisation(smoothing, loraDropout, neftune, other);
    }

    long noiseSeed() {
        return Noise.seed(seed, 0);
    }

    long dropoutSeed(int layer, Projection projection) {
        return Noise.seed(seed, 1 + (long) layer * Projection.values().length + projection.ordinal());
    }
}
