package dev.t2l.bench;

import dev.t2l.model.DecoderConfig;
import dev.t2l.tensor.Projection;
import java.util.ArrayList;
import java.util.List;

/** The cases that tell most of a machine: what {@code t2l bench all} runs. */
public final class Recipe {
    private static final int RANK = 8;
    private static final int DECODED = 128;
    private static final int DESCRIPTION = 48;
    private static final int PROMPT = 128;
    private static final int LONG_PROMPT = 2048;

    /**
     * @param cases in an order in which each language model is made once
     * @param left  what a shape cannot have, and why
     */
    public record Cases(List<Case> cases, List<String> left) {
    }

    private Recipe() {
    }

    /** Sizes beyond the model's context are cut to it. */
    public static Cases all(DecoderConfig config) {
        int context = config.contextLength();
        int prompt = Math.min(PROMPT, context / 2);
        WeightFormat first = WeightFormat.BF16;
        List<Case> cases = new ArrayList<>(List.of(
                decode(first, 1, 0, context), decode(first, 1, 1, context), decode(first, 8, 8, context),
                new PrefillCase(first, 1, Math.min(LONG_PROMPT, context - 1)),
                new EncodeCase(1, DESCRIPTION), new HypernetworkCase(1), new HypernetworkCase(32), new AdaptCase(1, DESCRIPTION),
                new FirstTokenCase(first, 1, DESCRIPTION, prompt), new FirstTokenCase(first, 8, DESCRIPTION, prompt), new FirstTokenCase(first, 32, DESCRIPTION, prompt)));
        List<String> left = new ArrayList<>();
        for (WeightFormat format : List.of(WeightFormat.Q8_0, WeightFormat.Q4_K_M)) {
            String obstacle = format.obstacle(config);
            if (obstacle.isEmpty()) {
                cases.add(decode(format, 1, 0, context));
                cases.add(decode(format, 1, 1, context));
            } else {
                left.add(obstacle);
            }
        }
        return new Cases(List.copyOf(cases), List.copyOf(left));
    }

    private static Case decode(WeightFormat format, int batch, int adapters, int context) {
        return new DecodeCase(format, batch, new DecodeCase.Lora(adapters, RANK, List.of(Projection.Q, Projection.V)), 1, Math.min(DECODED, context - 1));
    }
}
