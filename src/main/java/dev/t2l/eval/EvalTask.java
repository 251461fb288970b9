package dev.t2l.eval;

import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * A task to be judged on.
 *
 * @param suite            the part of the data that it belongs to; empty if the data has none
 * @param evalDescriptions of the task, in words that nothing was trained on
 * @param train            examples for few-shot prompts
 * @param tests            examples to be judged on
 * @param prefill          what every answer begins with, unasked; may be empty
 * @param shots            for few-shot prompts, in the place of examples of {@code train}
 */
public record EvalTask(String name, String suite, Metric metric, List<String> evalDescriptions, List<EvalExample> train, List<EvalExample> tests,
        String prefill, Optional<FewShot> shots) {
    public EvalTask {
        evalDescriptions = List.copyOf(evalDescriptions);
        train = List.copyOf(train);
        tests = List.copyOf(tests);
    }

    /** Without examples in words of their own. */
    public EvalTask(String name, String suite, Metric metric, List<String> evalDescriptions, List<EvalExample> train, List<EvalExample> tests, String prefill) {
        this(name, suite, metric, evalDescriptions, train, tests, prefill, Optional.empty());
    }

    /** The same task with its first so many test examples; with all of them for 0. */
    EvalTask first(int examples) {
        return examples == 0 || examples >= tests.size() ? this : new EvalTask(name, suite, metric, evalDescriptions, train, tests.subList(0, examples), prefill, shots);
    }

    /** The score, 0 to 1, of always giving the test part's most frequent answer: {@code majority_test}. */
    public double constantScore() {
        return (double) counts(tests).values().stream().mapToLong(Long::longValue).max().orElse(0) / Math.max(1, tests.size());
    }

    /** The score, 0 to 1, of always giving the train part's most frequent answer, of equals the first. Programs are not run: theirs is right where it is the test's own. */
    public double trainConstantScore() {
        String answer = frequentAnswer();
        return tests.stream().mapToDouble(example -> metric == Metric.PASS_AT_1 ? (example.outputs().contains(answer) ? 1 : 0) : metric.score(answer, example)).average().orElse(0);
    }

    private String frequentAnswer() {
        return counts(train).entrySet().stream().max(Comparator.comparingLong(Map.Entry::getValue)).map(Map.Entry::getKey).orElse("");
    }

    /** Whether all test examples have permitted answers to choose from. */
    public boolean isChoice() {
        return metric != Metric.PASS_AT_1 && metric != Metric.ROUGE_L && metric != Metric.NUMERIC && tests.stream().noneMatch(example -> example.options().isEmpty());
    }

    private static Map<String, Long> counts(List<EvalExample> examples) {
        return examples.stream().map(EvalExample::output).collect(Collectors.groupingBy(Function.identity(), LinkedHashMap::new, Collectors.counting()));
    }
}
