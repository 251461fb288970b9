package dev.t2l.experiment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.t2l.train.TrainingConfig;
import dev.t2l.train.TrainingConfig.Budget;
import dev.t2l.train.TrainingConfig.Kind;
import dev.t2l.train.TrainingData;
import dev.t2l.train.TrainingTask;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A recipe as a command changed it, from which the configurations of experiments' trainings are made.
 *
 * <p>Steps are in proportion to tasks: a recipe's {@code steps} are multiplied by the share of its tasks that is trained on, and, as its {@code epochs} or
 * {@code steps_per_task}, by the command's budget; unless the command sets one of the three keys itself.
 */
final class Recipe {
    private static final JsonMapper JSON = new JsonMapper();
    private static final Set<String> BUDGET = Set.of("steps", "epochs", "steps_per_task");
    private static final int CHECKPOINT_EVERY = 500;

    private final String source;
    private final List<String> changes = new ArrayList<>(List.of("validation.every=0", "checkpoint.every=" + CHECKPOINT_EVERY, "checkpoint.keep=1"));
    private final TrainingConfig whole;
    private final List<String> tasks;
    private final double budget;
    private final boolean scaled;

    /** @throws IllegalArgumentException if the recipe is of another kind, or the changes do not fit it */
    Recipe(Kind kind, LabSettings settings) {
        this.source = settings.trainings().recipes().getOrDefault(kind, LabSettings.RECIPES.get(kind));
        this.budget = settings.trainings().budget();
        List<String> own = settings.trainings().changes().stream().filter(change -> of(change, kind)).map(Recipe::bare).toList();
        changes.addAll(own);
        scaled = own.stream().noneMatch(change -> BUDGET.contains(change.substring(0, Math.max(0, change.indexOf('='))).strip()) && !change.endsWith("=null"));
        whole = TrainingConfig.load(source, changes);
        if (whole.kind() != kind) {
            throw new IllegalArgumentException(source + " is a configuration for t2l train " + word(whole.kind()) + ", wanted one for " + word(kind));
        }
        List<String> chosen = new ArrayList<>(changes);
        chosen.add("variants=null"); // which follow the tasks that they are of
        tasks = TrainingData.load(TrainingConfig.load(source, chosen), false).stream().map(TrainingTask::name).toList();
    }

    private static boolean of(String change, Kind kind) {
        return Kind.valueOf(prefix(change).orElse(kind.name()).toUpperCase(Locale.ROOT)) == kind;
    }

    /** The kind of training that a change is for, if it says so. */
    private static Optional<String> prefix(String change) {
        for (Kind kind : Kind.values()) {
            if (change.startsWith(word(kind) + ":")) {
                return Optional.of(word(kind));
            }
        }
        return Optional.empty();
    }

    private static String bare(String change) {
        return prefix(change).map(kind -> change.substring(kind.length() + 1)).orElse(change);
    }

    static String word(Kind kind) {
        return kind.name().toLowerCase(Locale.ROOT);
    }

    /** As the command wants it, with all of its tasks. */
    TrainingConfig whole() {
        return whole;
    }

    /** All of its tasks. */
    List<String> tasks() {
        return tasks;
    }

    /**
     * A training.
     *
     * @param chosen    tasks
     * @param overrides keys with dots and their values, text, numbers, lists; null takes a key away
     */
    TrainingConfig config(List<String> chosen, Map<String, ?> overrides) {
        List<String> all = new ArrayList<>(changes);
        if (!chosen.equals(tasks)) {
            all.add("tasks=" + json(chosen));
        }
        if (scaled) {
            scale(chosen.size(), all);
        }
        overrides.forEach((key, value) -> all.add(key + "=" + json(value)));
        return TrainingConfig.load(source, all);
    }

    private void scale(int chosen, List<String> all) {
        Budget own = whole.budget();
        double share = whole.kind() == Kind.LORA && whole.adapter().of() == TrainingConfig.Share.TASK ? 1 : (double) chosen / tasks.size();
        own.steps().ifPresent(n -> all.add("steps=" + atLeastOne(n * share * budget)));
        own.epochs().ifPresent(n -> all.add("epochs=" + atLeastOne(n * budget)));
        own.stepsPerTask().ifPresent(n -> all.add("steps_per_task=" + atLeastOne(n * budget)));
    }

    private static long atLeastOne(double steps) {
        return Math.max(1, Math.round(steps));
    }

    private static String json(Object value) {
        try {
            return JSON.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("a configuration cannot hold " + value, e);
        }
    }
}
