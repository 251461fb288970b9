package dev.t2l.io;

import java.util.Map;

/**
 * Rank and alpha of every module, by PEFT's rules: the first key of a pattern that matches {@code (.*\.)?(key)$} against the module's
 * name wins, else the default holds (peft.utils.other.get_pattern_key).
 *
 * @param rsLora whether the scale is alpha/sqrt(rank) (rank-stabilised LoRA) and not alpha/rank
 */
public record PeftScaling(int rank, double alpha, boolean rsLora, Map<String, Integer> rankPattern, Map<String, Double> alphaPattern) {

    /** One rank and one alpha for all modules. */
    public PeftScaling(int rank, double alpha, boolean rsLora) {
        this(rank, alpha, rsLora, Map.of(), Map.of());
    }

    /** @param module name such as {@code model.layers.0.self_attn.q_proj} */
    public int rankOf(String module) {
        return of(module, rankPattern, rank);
    }

    public double alphaOf(String module) {
        return of(module, alphaPattern, alpha);
    }

    public float scaleOf(String module) {
        return (float) scale(alphaOf(module), rankOf(module));
    }

    /** alpha/rank, or alpha/sqrt(rank) for rsLoRA. */
    double scale(double alpha, int rank) {
        return alpha / (rsLora ? Math.sqrt(rank) : rank);
    }

    private static <T> T of(String module, Map<String, T> pattern, T otherwise) {
        return pattern.entrySet().stream().filter(e -> new BoundedRegex("(.*\\.)?(" + e.getKey() + ")$").matchesStart(module))
                .findFirst().map(Map.Entry::getValue).orElse(otherwise);
    }
}
