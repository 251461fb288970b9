package dev.t2l.experiment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.experiment.LabSettings.Judging;
import dev.t2l.experiment.LabSettings.Trainings;
import dev.t2l.train.TrainingConfig;
import dev.t2l.train.TrainingConfig.Kind;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecipeTest {
    @TempDir
    static Path folder;

    @BeforeAll
    static void write() throws IOException {
        TinyLab.write(folder);
    }

    private static Recipe recipe(Kind kind, double budget, String... changes) {
        return new Recipe(kind, new LabSettings(folder, new Trainings(TinyLab.recipes(folder), List.of(changes), budget),
                new Judging(List.of(), 1, 1), 0, Optional.empty(), Optional.empty(), ""));
    }

    private static TrainingConfig half(Kind kind, double budget, String... changes) {
        Recipe recipe = recipe(kind, budget, changes);
        return recipe.config(recipe.tasks().subList(0, 5), Map.of());
    }

    @Test
    void stepsAreInProportionToTasksAndBudget() {
        assertEquals(OptionalInt.of(5), half(Kind.SFT, 1).budget().steps());
        assertEquals(OptionalInt.of(1), half(Kind.SFT, 0.2).budget().steps());
        assertEquals(OptionalInt.of(1), half(Kind.SFT, 0.001).budget().steps());
        assertEquals(OptionalInt.of(3), half(Kind.RECON, 1).budget().epochs());
        assertEquals(OptionalInt.of(6), half(Kind.RECON, 2).budget().epochs());
        assertEquals(OptionalInt.of(2), half(Kind.LORA, 1).budget().steps()); // each task has as many
        assertEquals(OptionalInt.of(1), half(Kind.LORA, 0.5).budget().steps());
        assertEquals(OptionalInt.of(7), half(Kind.SFT, 0.5, "steps=7").budget().steps());
        assertEquals(OptionalInt.of(4), half(Kind.SFT, 0.5, "steps=null", "steps_per_task=4").budget().stepsPerTask());
    }

    @Test
    void changesMayBeForOneKind() {
        assertEquals(0.5, half(Kind.SFT, 1, "optimiser.rate=0.5").optimiser().rate());
        assertEquals(0.5, half(Kind.SFT, 1, "sft:optimiser.rate=0.5", "lora:optimiser.rate=0.25").optimiser().rate());
        assertEquals(0.25, half(Kind.LORA, 1, "sft:optimiser.rate=0.5", "lora:optimiser.rate=0.25").optimiser().rate());
        assertEquals(0, half(Kind.SFT, 1).run().validationEvery());
        assertEquals(2, half(Kind.SFT, 1, "validation.every=2").run().validationEvery());
    }

    @Test
    void aRecipeOfAnotherKindIsRefused() {
        Map<Kind, String> recipes = new EnumMap<>(TinyLab.recipes(folder));
        recipes.put(Kind.SFT, folder.resolve("lora.yaml").toString());
        var settings = new LabSettings(folder, new Trainings(recipes, List.of(), 1), new Judging(List.of(), 1, 1), 0, Optional.empty(), Optional.empty(), "");
        assertTrue(assertThrows(IllegalArgumentException.class, () -> new Recipe(Kind.SFT, settings)).getMessage().contains("wanted one for sft"));
    }

    @Test
    void setsOfTasksAreDrawnBySeedAndNested() {
        List<String> all = List.of("a", "b", "c", "d", "e", "f", "g", "h");
        for (long seed = 0; seed < 5; seed++) {
            assertTrue(TaskSets.drawn(all, 6, seed).containsAll(TaskSets.drawn(all, 3, seed)));
        }
        assertEquals(all, TaskSets.drawn(all, 8, 3));
        assertNotEquals(TaskSets.drawn(all, 4, 0), TaskSets.drawn(all, 4, 1));
        assertThrows(IllegalArgumentException.class, () -> TaskSets.drawn(all, 9, 0));
        assertEquals(List.of(9, 32, 95), TaskSets.sizes(95, 9, 32));
        assertEquals(List.of(9, 20), TaskSets.sizes(20, 9, 32));
        assertEquals(8, TaskSets.nine(all, 0).size());
    }
}
