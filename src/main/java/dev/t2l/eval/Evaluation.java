package dev.t2l.eval;

import dev.t2l.LanguageModel;
import dev.t2l.data.ChatPrompts;
import dev.t2l.text.ChatTemplate;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Asks a base model, with and without adapters, the test questions of tasks, and scores what it says. Columns are asked one after the other; within a
 * column, questions of all tasks and all adapters share batches. Answers are written down as they come: a run that was stopped and is begun again ends
 * with the same table.
 */
public final class Evaluation {
    private final LanguageModel base;
    private final String model;
    private final List<EvalTask> tasks;
    private final List<Column> columns;
    private final EvalSettings settings;
    private final Optional<ProgramRunner> runner;
    private ChatPrompts prompts;

    /**
     * Borrows all of them.
     *
     * @param model   what is kept of the base in answers' digests: {@link Fingerprint} of its files
     * @param runner  of programs; without it, tasks that are judged by running the answers are refused
     * @param tasks   with names of their own
     * @param columns with names of their own
     */
    public Evaluation(LanguageModel base, String model, List<EvalTask> tasks, List<Column> columns, EvalSettings settings, Optional<ProgramRunner> runner) {
        this.base = base;
        this.model = model;
        this.tasks = List.copyOf(tasks);
        this.columns = List.copyOf(columns);
        this.settings = settings;
        this.runner = runner;
        this.prompts = new ChatPrompts(base.tokenizer(), base.chatTemplate());
        if (columns.stream().map(Column::name).distinct().count() < columns.size()) {
            throw new IllegalArgumentException("two columns have one name: " + columns.stream().map(Column::name).toList());
        }
        Set<String> names = new HashSet<>();
        for (EvalTask task : tasks) {
            if (!names.add(task.name())) {
                throw new IllegalArgumentException("two tasks are called '" + task.name() + "'; HINT: judge by them in runs of their own");
            }
            if (task.metric() == Metric.PASS_AT_1 && runner.isEmpty()) {
                throw new IllegalArgumentException("the task '" + task.name() + "' is judged by running the answers");
            }
        }
    }

    /**
     * Asks in another chat template, or with a system message before each question.
     *
     * @param template empty: the base's own
     * @param system   empty: none
     */
    public Evaluation asking(Optional<ChatTemplate> template, Optional<String> system) {
        prompts = new ChatPrompts(base.tokenizer(), template.or(base::chatTemplate), system);
        return this;
    }

    /**
     * Does what is not done yet.
     *
     * @param folder of answers and results
     */
    public EvalTable run(Path folder, EvalListener listener) {
        var questions = new Questions(base, model + "/" + base.backend().description().replaceAll("\\d+ threads?", ""), settings, prompts);
        Map<Column, Map<Cell, List<Question>>> asked = new LinkedHashMap<>();
        var judge = new Scores(runner);
        try (var log = new EvalLog(folder, judge); var answerer = new Answerer(base, settings.batch())) {
            var progress = new Counter(listener);
            for (Column column : columns) {
                if (column instanceof Column.Asked one) {
                    Map<Cell, List<Question>> cells = new LinkedHashMap<>();
                    tasks.stream().flatMap(task -> Cell.of(one, task).stream()).forEach(cell -> cells.put(cell, questions.of(cell)));
                    asked.put(column, cells);
                    progress.total += open(cells.values(), log).size();
                }
            }
            List<CellScore> scores = new ArrayList<>();
            for (Column column : columns) {
                switch (column) {
                    case Column.Computed computed -> tasks.forEach(task -> keep(score(computed, computed.whole() ? task : task.first(settings.examples())), scores, log, listener));
                    case Column.Asked _ -> ask(asked.get(column), new Work(answerer, log, judge, progress, scores));
                }
            }
            return new EvalTable(columns, tasks, scores);
        }
    }

    /** What a run works with. */
    private record Work(Answerer answerer, EvalLog log, Scores judge, Counter progress, List<CellScore> scores) {
    }

    /** Questions answered so far. */
    private static final class Counter {
        final EvalListener listener;
        long total;
        long done;

        Counter(EvalListener listener) {
            this.listener = listener;
        }
    }

    /** Questions that nobody has answered, one of those that are the same. */
    private static List<Question> open(Iterable<List<Question>> cells, EvalLog log) {
        Map<String, Question> open = new LinkedHashMap<>();
        cells.forEach(questions -> questions.stream().filter(question -> log.answer(question).isEmpty()).forEach(question -> open.putIfAbsent(question.digest(), question)));
        return List.copyOf(open.values());
    }

    private static void ask(Map<Cell, List<Question>> cells, Work work) {
        List<Question> open = open(cells.values(), work.log());
        Map<Cell, Integer> left = new LinkedHashMap<>();
        cells.forEach((cell, questions) -> left.put(cell, questions.size()));
        cells.values().forEach(questions -> count(left, cells, work, questions.stream().filter(question -> work.log().answer(question).isPresent()).toList()));
        Map<String, List<Question>> same = cells.values().stream().flatMap(List::stream).filter(question -> work.log().answer(question).isEmpty())
                .collect(Collectors.groupingBy(Question::digest));
        try (var adapters = new AdapterPool(open)) {
            work.answerer().answer(open, adapters, given -> {
                List<Question> answered = new ArrayList<>();
                List<Answer> theirs = new ArrayList<>();
                given.forEach((asked, answer) -> {
                    for (Question question : same.get(asked.digest())) {
                        answered.add(question);
                        theirs.add(answer);
                    }
                });
                work.log().add(answered, theirs);
                work.progress().done += given.size();
                work.progress().listener.answered(answered.getFirst().cell().column().name(), work.progress().done, work.progress().total);
                count(left, cells, work, answered);
            });
        }
    }

    /** Takes answered questions off those that cells wait for, and scores the cells that wait for none. */
    private static void count(Map<Cell, Integer> left, Map<Cell, List<Question>> cells, Work work, List<Question> answered) {
        work.log().add(answered, answered.stream().map(question -> work.log().answer(question).orElseThrow()).toList());
        for (Question question : answered) {
            if (left.merge(question.cell(), -1, Integer::sum) == 0) {
                keep(score(question.cell(), cells.get(question.cell()), work), work.scores(), work.log(), work.progress().listener);
            }
        }
    }

    private static void keep(CellScore score, List<CellScore> scores, EvalLog log, EvalListener listener) {
        scores.add(score);
        log.add(score);
        listener.scored(score);
    }

    private static CellScore score(Column.Computed column, EvalTask task) {
        double score = column.score().applyAsDouble(task);
        return new CellScore(column.name(), task.name(), 0, "", task.metric().key(), task.tests().size(), score, 1,
                task.isChoice() ? OptionalDouble.of(score) : OptionalDouble.empty());
    }

    private static CellScore score(Cell cell, List<Question> questions, Work work) {
        double sum = 0;
        double likeliest = 0;
        int ended = 0;
        for (Question question : questions) {
            Answer answer = work.log().answer(question).orElseThrow();
            sum += work.judge().of(question, answer);
            ended += answer.ended() ? 1 : 0;
            likeliest += answer.choice().isPresent() ? cell.task().metric().score(question.example().options().get(answer.choice().getAsInt()), question.example()) : 0;
        }
        int n = questions.size();
        return new CellScore(cell.column().name(), cell.task().name(), cell.number(), cell.asking().description(), cell.task().metric().key(), n, sum / n, (double) ended / n,
                cell.task().isChoice() ? OptionalDouble.of(likeliest / n) : OptionalDouble.empty());
    }
}
