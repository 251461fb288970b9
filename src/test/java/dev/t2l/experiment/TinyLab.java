package dev.t2l.experiment;

import dev.t2l.Tiny;
import dev.t2l.experiment.LabSettings.Judging;
import dev.t2l.experiment.LabSettings.Trainings;
import dev.t2l.train.TrainingConfig.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Ten training tasks and two others of a few short examples, and recipes that learn them with the tiny base in a moment. */
public final class TinyLab {
    public static final int TRAINING = 10;

    private TinyLab() {
    }

    /** Data and recipes. */
    public static Path write(Path folder) throws IOException {
        Files.createDirectories(folder.resolve("data/tasks"));
        var list = new StringBuilder();
        for (int i = 0; i < TRAINING; i++) {
            task(folder, list, "task" + i, "train", i);
        }
        task(folder, list, "other", "unseen", 20);
        task(folder, list, "another", "unseen", 21);
        Files.writeString(folder.resolve("data/tasks.json"), list + "]\n");
        String shared = "base: " + Tiny.BASE + "\ndata: " + folder.resolve("data") + "\nsuite: train\n";
        Files.writeString(folder.resolve("sft.yaml"), "kind: sft\nseed: 1\nencoder: " + Tiny.GTE_T2L.resolve("gte-tiny")
                + "\nsteps: 10\nadapter: {rank: 2}\nnetwork: {latent: 8, head_in: 8}\n"
                + "batch: {tasks: 2, sampling: uniform}\nregularisation: {neftune: 0}\n" + shared);
        Files.writeString(folder.resolve("recon.yaml"), "kind: recon\nencoder: " + Tiny.GTE_T2L.resolve("gte-tiny") + "\nepochs: 3\nnetwork: {latent: 8, head_in: 8}\n"
                + "batch: {tasks: 4}\nreconstruction: {oracles: none}\n" + shared);
        Files.writeString(folder.resolve("lora.yaml"), "kind: lora\nsteps: 2\nadapter: {rank: 2, of: task}\n"
                + "batch: {tasks: 2, sampling: uniform}\noptimiser: {rate: 0.01, warmup: 0}\n" + shared);
        Tiny.copy(Tiny.GTE_T2L.resolve("gte-tiny"), folder.resolve("larger"));
        return folder;
    }

    private static void task(Path folder, StringBuilder list, String name, String suite, int seed) throws IOException {
        list.append(list.isEmpty() ? "[" : ",\n").append("""
                {"name": "%s", "suite": "%s", "metric": "exact_match", "descriptions": ["Do %s.", "Work on %s"], "eval_descriptions": ["It is %s.", "Give %s"]}"""
                .formatted(name, suite, name, name, name, name));
        var lines = new StringBuilder();
        for (int i = 0; i < 6; i++) {
            lines.append("{\"split\": \"%s\", \"input\": \"%d one\", \"output\": \"%d\"}\n".formatted(i < 4 ? "train" : "test", i + seed, (i + seed) % 3));
        }
        Files.writeString(folder.resolve("data/tasks").resolve(name + ".jsonl"), lines);
    }

    static Map<Kind, String> recipes(Path folder) {
        Map<Kind, String> recipes = new LinkedHashMap<>();
        for (Kind kind : Kind.values()) {
            recipes.put(kind, folder.resolve(Recipe.word(kind) + ".yaml").toString());
        }
        return recipes;
    }

    static LabSettings settings(Path folder, Path out, String... changes) {
        return new LabSettings(out, new Trainings(recipes(folder), List.of(changes), 1), new Judging(List.of(), 1, 2), 0,
                Optional.of(folder.resolve("larger").toString()), Optional.empty(), "t2l experiment test");
    }
}
