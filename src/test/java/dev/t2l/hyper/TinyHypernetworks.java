package dev.t2l.hyper;

import dev.t2l.hyper.HyperConfig.Architecture;
import dev.t2l.hyper.HyperConfig.Condition;
import dev.t2l.hyper.HyperConfig.LoraShape;
import dev.t2l.hyper.HyperConfig.Origin;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.hyper.HyperConfig.Training;
import dev.t2l.hyper.HyperConfig.TrainingTask;
import dev.t2l.tensor.Projection;
import java.util.List;
import java.util.Optional;

/** Configurations of a few thousand parameters, modules wider on either side. */
final class TinyHypernetworks {
    static final Training RAW = new Training(TrainingTask.RECON, false, true, 10_000);

    /** The kinds of network that differ in their steps. */
    enum Kind {
        L(false, false, false), M(true, false, false), S(true, true, true), S_ROTARY(true, true, false),
        L_BY_RANK(false, true, true), L_BY_RANK_ROTARY(false, true, false);

        private final boolean shared;
        private final boolean byRank;
        private final boolean positions;

        Kind(boolean shared, boolean byRank, boolean positions) {
            this.shared = shared;
            this.byRank = byRank;
            this.positions = positions;
        }

        HyperConfig config(Training training, boolean headBias) {
            var targets = List.of(new Target(Projection.Q, 5, 7, headBias), new Target(Projection.DOWN, 9, 4, headBias));
            return config(training, targets, 2);
        }

        HyperConfig config(Training training, List<Target> targets, int rank) {
            return new HyperConfig(new Architecture(shared, byRank, positions, 16, 6, 3), new LoraShape(rank, 4, true, 2), targets, training,
                    new Origin(Optional.of("encoder"), "base", List.of(), Condition.DESCRIPTION));
        }
    }

    private TinyHypernetworks() {
    }
}
