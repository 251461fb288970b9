package dev.t2l.io;

import java.util.List;
import java.util.Optional;

/**
 * Which modules an adapter acts on, by PEFT's rules (peft.tuners.tuners_utils.check_target_module_exists).
 *
 * @param modules       names or ends of names; empty if there is an expression
 * @param expression    a regular expression that the whole name must match, {@code all-linear}, or null
 * @param excluded      as modules, for what is left out
 * @param excludedExpression as expression, or null
 * @param layers        numbers of layers, for names given as ends; empty = all
 * @param layersPattern what stands before a layer's number; empty = anything
 */
public record PeftTargets(List<String> modules, String expression, List<String> excluded, String excludedExpression,
                          List<Integer> layers, List<String> layersPattern) {
    static final String ALL_LINEAR = "all-linear";

    /** Modules by the ends of their names, in every layer. */
    public static PeftTargets ofModules(List<String> modules) {
        return new PeftTargets(List.copyOf(modules), null, List.of(), null, List.of(), List.of());
    }

    /** @param module name such as {@code model.layers.0.self_attn.q_proj} */
    public boolean matches(String module) {
        if (excludedExpression != null ? new BoundedRegex(excludedExpression).matchesAll(module) : endsWithAny(module, excluded)) {
            return false;
        }
        if (expression != null) {
            return expression.equalsIgnoreCase(ALL_LINEAR) || new BoundedRegex(expression).matchesAll(module);
        }
        return modules.contains(module) || endsWithAny(module, modules) && (layers.isEmpty() || layer(module).filter(layers::contains).isPresent());
    }

    private static boolean endsWithAny(String module, List<String> names) {
        return names.stream().anyMatch(n -> module.equals(n) || module.endsWith("." + n));
    }

    private Optional<Integer> layer(String module) {
        List<String> patterns = layersPattern.isEmpty() ? List.of(".*?\\.[^.]*\\.(?<idx>\\d+)\\.")
                : layersPattern.stream().map(p -> "(?:^|.*?\\.)" + p + "\\.(?<idx>\\d+)\\.").toList();
        return patterns.stream().map(p -> new BoundedRegex(p).group(module, "idx")).flatMap(Optional::stream).findFirst().map(Integer::valueOf);
    }
}
