package dev.t2l.eval;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;

/** Scores of answers. Programs are run, each different one once, several beside each other. */
final class Scores {
    private final Optional<ProgramRunner> runner;
    private final Map<String, Double> ofPrograms = new ConcurrentHashMap<>(); // by what was asked and said

    /** @param runner of programs; without it there must be none */
    Scores(Optional<ProgramRunner> runner) {
        this.runner = runner;
    }

    /** What an earlier run found. */
    void known(String task, int example, String answer, double score) {
        ofPrograms.put(key(task, example, answer), score);
    }

    /** From 0 to 1, in order. */
    List<Double> of(List<Question> questions, List<Answer> answers) {
        return IntStream.range(0, questions.size()).parallel().mapToObj(i -> of(questions.get(i), answers.get(i))).toList();
    }

    double of(Question question, Answer answer) {
        EvalExample example = question.example();
        EvalTask task = question.cell().task();
        if (task.metric() != Metric.PASS_AT_1) {
            return task.metric().score(answer.text(), example);
        }
        return ofPrograms.computeIfAbsent(key(task.name(), question.number(), answer.text()),
                _ -> runner.orElseThrow().passes(example.test().orElseThrow().program(answer.text())) ? 1.0 : 0.0);
    }

    private static String key(String task, int example, String answer) {
        return task + "\0" + example + "\0" + answer;
    }
}
