package dev.t2l.train;

import dev.t2l.model.Decoder;
import dev.t2l.model.DecoderWeights;

/** A configuration's numbers as those who compute take them. */
final class Settings {
    private Settings() {
    }

    static Optimiser.Settings optimiser(TrainingConfig config) {
        TrainingConfig.Optimisation o = config.optimiser();
        return new Optimiser.Settings(o.beta1(), o.beta2(), o.eps(), o.weightDecay(), o.clip() == 0 ? Double.POSITIVE_INFINITY : o.clip());
    }

    static Regularisation regularisation(TrainingConfig config) {
        return new Regularisation((float) config.regularisation().smoothing(), config.adapter().dropout(), (float) config.regularisation().neftune(), 0);
    }

    /** What a model's matrices take. */
    static long bytes(Decoder base) {
        DecoderWeights weights = base.weights();
        long tables = weights.embedding().bytes() + (weights.output() == weights.embedding() ? 0 : weights.output().bytes());
        return tables + weights.layers().stream().flatMap(layer -> layer.projections().values().stream()).mapToLong(p -> p.weight().bytes()).sum();
    }
}
