package dev.t2l.experiment;

import dev.t2l.train.TrainingConfig.Kind;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What holds for all experiments of a command.
 *
 * @param folder       of all that is kept: a folder for each experiment, and trained networks, oracles and answers, which experiments share
 * @param recipes      for each kind of training a YAML file or the name of a recipe
 * @param changes      to those: {@code key=value}, or {@code kind:key=value} for one kind alone
 * @param budget       share of the recipes' steps that is trained
 * @param tasks        that are judged, of those that are in another suite than the training tasks; empty for all
 * @param examples     the first so many test examples of a task; 0 for all
 * @param descriptions the first so many evaluation descriptions of a task
 * @param seed         of what is drawn: sets of tasks, bootstrap samples; a training has its recipe's
 * @param gte          a further text encoder to compare with
 * @param network      the hypernetwork that experiments on one look into; empty: one is trained by the recipe on all of its tasks
 * @param command      as it was typed
 */
public record LabSettings(Path folder, Map<Kind, String> recipes, List<String> changes, double budget, List<String> tasks, int examples, int descriptions, long seed,
        Optional<String> gte, Optional<Path> network, String command) {
    /** What is trained unless something else is named. */
    public static final Map<Kind, String> RECIPES = Map.of(Kind.SFT, "smollm2-sft", Kind.RECON, "smollm2-recon", Kind.LORA, "oracle");

    public LabSettings {
        recipes = Map.copyOf(recipes);
        changes = List.copyOf(changes);
        tasks = List.copyOf(tasks);
        if (!(budget > 0) || Double.isInfinite(budget) || examples < 0 || descriptions < 1) {
            throw new IllegalArgumentException("budget " + budget + ", examples " + examples + ", descriptions " + descriptions
                    + ": wanted a budget above 0, no negative number of examples, and at least one description");
        }
    }
}
