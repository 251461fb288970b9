package dev.t2l.experiment;

import dev.t2l.train.TrainingConfig.Kind;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What holds for all experiments of a command.
 *
 * @param folder    of all that is kept: a folder for each experiment, and trained networks, oracles and answers, which experiments share
 * @param trainings what is trained
 * @param judging   what it is judged on
 * @param seed      of what is drawn: sets of tasks, bootstrap samples; a training has its recipe's
 * @param gte       a further text encoder to compare with
 * @param network   the hypernetwork that experiments on one look into; empty: one is trained by the recipe on all of its tasks
 * @param command   as it was typed
 */
public record LabSettings(Path folder, Trainings trainings, Judging judging, long seed, Optional<String> gte, Optional<Path> network, String command) {
    /** What is trained unless something else is named. */
    public static final Map<Kind, String> RECIPES = Map.of(Kind.SFT, "smollm2-sft", Kind.RECON, "smollm2-recon", Kind.LORA, "oracle");

    /**
     * What is trained.
     *
     * @param recipes for each kind of training a YAML file or the name of a recipe
     * @param changes to those: {@code key=value}, or {@code kind:key=value} for one kind alone
     * @param budget  share of the recipes' steps that is trained
     */
    public record Trainings(Map<Kind, String> recipes, List<String> changes, double budget) {
        public Trainings {
            recipes = Map.copyOf(recipes);
            changes = List.copyOf(changes);
            if (!(budget > 0) || Double.isInfinite(budget)) {
                throw new IllegalArgumentException("wanted a budget above 0, found " + budget);
            }
        }
    }

    /**
     * What is judged on.
     *
     * @param tasks        of those that are in another suite than the training tasks; empty for all
     * @param examples     the first so many test examples of a task; 0 for all
     * @param descriptions the first so many evaluation descriptions of a task
     */
    public record Judging(List<String> tasks, int examples, int descriptions) {
        public Judging {
            tasks = List.copyOf(tasks);
            if (examples < 0 || descriptions < 1) {
                throw new IllegalArgumentException("wanted no negative number of examples, and at least one description, found " + examples + " and " + descriptions);
            }
        }
    }
}
