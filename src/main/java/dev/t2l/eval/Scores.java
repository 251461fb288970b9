package dev.t2l.eval;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;

/** Scores of answers. Programs are run, each different one once, several beside each other. */
final class Scores {
    private final Optional<ProgramRunner> runner;
    private final Map<String, Double> ofPrograms = new ConcurrentHashMap<>(); // by fingerprint

    /** @param runner of programs; without it there must be none */
    Scores(Optional<ProgramRunner> runner) {
        this.runner = runner;
    }

    /**
     * What an earlier run found.
     *
     * @param program its {@link #fingerprint}
     */
    void known(String program, double score) {
        ofPrograms.put(program, score);
    }

    /** Of the program that an answer makes, its test included. */
    static String fingerprint(Question question, Answer answer) {
        return Fingerprint.of(List.of(program(question, answer)));
    }

    private static String program(Question question, Answer answer) {
        return question.example().test().orElseThrow().program(answer.text());
    }

    /** From 0 to 1, in order. */
    List<Double> of(List<Question> questions, List<Answer> answers) {
        return IntStream.range(0, questions.size()).parallel().mapToObj(i -> of(questions.get(i), answers.get(i))).toList();
    }

    double of(Question question, Answer answer) {
        Metric metric = question.cell().task().metric();
        if (metric != Metric.PASS_AT_1) {
            return metric.score(answer.text(), question.example());
        }
        return ofPrograms.computeIfAbsent(fingerprint(question, answer), _ -> runner.orElseThrow().passes(program(question, answer)) ? 1.0 : 0.0);
    }
}
