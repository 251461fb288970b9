package dev.t2l.experiment;

import dev.t2l.Adapter;
import dev.t2l.TextToLora;
import dev.t2l.hyper.GeneratedLora;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.train.TrainingConfig;
import dev.t2l.train.TrainingConfig.Kind;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * A hypernetwork that was trained to reproduce oracles.
 *
 * @param numbered whether it reads tasks' numbers, not descriptions
 */
record Reproduced(Variant variant, boolean numbered, OracleFolder oracles, Trained run) {
    /** Trained on the tasks of these oracles. */
    static Reproduced of(Laboratory lab, Variant variant, boolean numbered, OracleFolder oracles) {
        Map<String, Object> overrides = new LinkedHashMap<>();
        overrides.put("network.variant", variant.name());
        overrides.put("reconstruction.oracles", oracles.path().toString());
        if (numbered) {
            overrides.put("condition", "one_hot");
        }
        List<String> tasks = List.copyOf(oracles.runs().keySet());
        String what = variant + " from " + (numbered ? "numbers" : "descriptions") + ", " + tasks.size() + " oracles";
        return new Reproduced(variant, numbered, oracles, lab.train(what, Kind.RECON, tasks, overrides));
    }

    /** @param description of a task, for one that reads such */
    double productError(Laboratory lab, Function<String, String> description) {
        if (numbered) {
            NumberedTasks network = lab.numberedTasks(run.folder());
            return mean(task -> {
                try (GeneratedLora lora = network.generate(List.of(task)).getFirst()) {
                    return ProductError.relative(lab.backend(), lora.lora(), oracles.adapter(task));
                }
            });
        }
        TextToLora network = lab.network(run.folder());
        return mean(task -> {
            try (Adapter adapter = network.generate(description.apply(task))) {
                return ProductError.relative(lab.backend(), adapter.weights(), oracles.adapter(task));
            }
        });
    }

    private double mean(Function<String, Double> error) {
        return oracles.runs().keySet().stream().mapToDouble(error::apply).average().orElseThrow();
    }

    /** What the training made small. */
    static String lossInWords(TrainingConfig recon) {
        return (recon.reconstruction().squared() ? "mean squared" : "mean absolute") + " difference of " + (recon.reconstruction().factorized()
                ? "A and B" + (recon.reconstruction().zScore() ? ", z-scored over the oracles" : "") : "B A, scaled");
    }
}
