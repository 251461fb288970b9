package dev.t2l.io;

import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Function;

/** Configurations made from the weights of an adapter. */
public final class PeftConfigs {
    private static final String TASK_TYPE = "CAUSAL_LM";

    private PeftConfigs() {
    }

    /**
     * A configuration whose targets are the adapter's sites and whose scaling gives each pair its rank and its scale, to the bit:
     * the most frequent rank and alpha as defaults, the others in rank_pattern and alpha_pattern.
     *
     * @param baseModel may be null
     * @param rsLora    whether alpha is to be divided by the root of the rank
     */
    public static PeftConfig describing(LoraWeights weights, String baseModel, boolean rsLora) {
        Map<Site, Pair> pairs = weights.pairs();
        int rank = mostFrequent(pairs, Pair::rank);
        double alpha = mostFrequent(pairs, p -> alpha(p, rsLora));
        Map<String, Integer> ranks = pattern(pairs, Pair::rank, rank);
        Map<String, Double> alphas = pattern(pairs, p -> alpha(p, rsLora), alpha);
        return new PeftConfig(baseModel, new PeftScaling(rank, alpha, rsLora, ranks, alphas), targets(pairs), 0, TASK_TYPE);
    }

    /** The alpha from which PEFT computes the pair's scale; a whole number where one does. */
    private static double alpha(Pair pair, boolean rsLora) {
        double divisor = rsLora ? Math.sqrt(pair.rank()) : pair.rank();
        double exact = pair.scale() * divisor;
        double whole = Math.rint(exact);
        return (float) (whole / divisor) == pair.scale() ? whole : exact;
    }

    private static <T> T mostFrequent(Map<Site, Pair> pairs, Function<Pair, T> value) {
        Map<T, Integer> counts = new LinkedHashMap<>();
        pairs.values().forEach(p -> counts.merge(value.apply(p), 1, Integer::sum));
        return counts.entrySet().stream().max(Map.Entry.comparingByValue()).orElseThrow().getKey();
    }

    /** What differs from the default: by projection where all its layers agree, else by module. */
    private static <T> Map<String, T> pattern(Map<Site, Pair> pairs, Function<Pair, T> value, T otherwise) {
        Map<Projection, TreeSet<T>> byProjection = new HashMap<>();
        pairs.forEach((site, pair) -> byProjection.computeIfAbsent(site.projection(), p -> new TreeSet<>()).add(value.apply(pair)));
        Map<String, T> pattern = new LinkedHashMap<>();
        pairs.forEach((site, pair) -> {
            T own = value.apply(pair);
            if (!own.equals(otherwise)) {
                boolean uniform = byProjection.get(site.projection()).size() == 1;
                pattern.put(uniform ? site.projection().peftName() : PeftAdapter.module(site), own);
            }
        });
        return pattern;
    }

    /** Projections where every layer from 0 on has the same ones, else whole module names. */
    private static PeftTargets targets(Map<Site, Pair> pairs) {
        List<Projection> projections = Arrays.stream(Projection.values()).filter(p -> pairs.keySet().stream().anyMatch(s -> s.projection() == p)).toList();
        int layers = pairs.keySet().stream().mapToInt(Site::layer).max().orElseThrow() + 1;
        boolean grid = pairs.size() == (long) layers * projections.size();
        return PeftTargets.ofModules(grid ? projections.stream().map(Projection::peftName).toList() : pairs.keySet().stream().map(PeftAdapter::module).toList());
    }
}
