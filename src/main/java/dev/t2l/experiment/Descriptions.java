package dev.t2l.experiment;

import dev.t2l.TextEncoder;
import dev.t2l.eval.AdapterSource;
import dev.t2l.eval.CellScore;
import dev.t2l.eval.Column;
import dev.t2l.eval.Columns;
import dev.t2l.eval.EvalTable;
import dev.t2l.eval.EvalTask;
import dev.t2l.eval.NearestTask;
import dev.t2l.experiment.Table.Heading;
import dev.t2l.experiment.Table.Unit;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What a description has to be: of the task at all, long, close to what was trained on? */
final class Descriptions implements Experiment {
    /** Descriptions of an unseen task beside those for evaluation: written as training descriptions, but of tasks that nothing was trained on. */
    private static final int MORE = 5;
    private static final String T2L = "t2l";
    private static final String MATCHING = T2L + "-more";

    /**
     * A description and what came of it.
     *
     * @param kind     its column
     * @param tokens   of it, to the encoder
     * @param distance 1 - cosine to the closest training description
     * @param relative the score less the mean score of the task's matching descriptions
     */
    private record Point(CellScore cell, String kind, int tokens, double distance, String nearest, double relative) {
    }

    @Override
    public String name() {
        return "descriptions";
    }

    @Override
    public String title() {
        return "Matching, vague, other tasks' and random descriptions; scores against length and against distance from training";
    }

    @Override
    public void run(Laboratory lab) {
        Path folder = lab.subject();
        AdapterSource source = lab.source(folder);
        int most = lab.settings().judging().descriptions() + MORE;
        List<EvalTask> tasks = lab.unseen().stream().map(task -> widened(lab, task)).toList();
        Columns columns = lab.columns();
        List<Column> asked = List.of(columns.random(T2L, source), columns.other(T2L, source, lab.data()::descriptions), columns.vague(T2L, source),
                columns.matching(T2L, source), new Columns(lab.settings().seed(), most).matching(MATCHING, source));
        EvalTable found = lab.evaluate(tasks, asked);
        List<Point> points = points(lab, found, lab.network(folder).encoder());
        lab.rows("points.jsonl", rows(points));
        lab.table(List.of(kinds(found, points, lab.settings().seed()), correlations(points, lab.settings().seed())),
                "Matching: the task's own descriptions, the first for evaluation alone; \"and more\": up to " + MORE
                + " of those, too, that the data has for training, none of which was trained on. "
                        + "Intervals are by bootstrap over tasks, of correlations (Spearman's) with all points of a task drawn together.",
                "Tokens are the encoder's; distance is 1 - cosine to the closest description that the recipe trains on. Scores \"less the task's mean\" are less "
                        + "the mean over the task's matching descriptions: what is left when tasks' own difficulty is gone. Each description is a line of `points.jsonl`.");
        lab.plot(charts(points));
    }

    private static EvalTask widened(Laboratory lab, EvalTask task) {
        List<String> more = lab.data().trainingDescriptions(List.of(task.name())).get(task.name());
        List<String> all = Stream.concat(task.evalDescriptions().stream().limit(lab.settings().judging().descriptions()), more.stream().limit(MORE)).distinct().toList();
        return new EvalTask(task.name(), task.suite(), task.metric(), all, task.train(), task.tests(), task.prefill());
    }

    private static List<Point> points(Laboratory lab, EvalTable found, TextEncoder encoder) {
        var trained = new NearestTask(encoder, lab.trainingDescriptions());
        List<Point> points = new ArrayList<>();
        for (String column : found.columns()) {
            for (String task : found.tasks()) {
                List<CellScore> cells = found.cells(column, task);
                List<String> texts = cells.stream().map(CellScore::text).toList();
                float[][] vectors = encoder.embedTasks(texts);
                int[] tokens = encoder.taskTokens(texts);
                for (int i = 0; i < texts.size(); i++) {
                    NearestTask.Found nearest = trained.closest(vectors[i]);
                    points.add(new Point(cells.get(i), column, tokens[i], nearest.distance(), nearest.task(), cells.get(i).score() - found.score(MATCHING, task)));
                }
            }
        }
        return points;
    }

    private static Table rows(List<Point> points) {
        var table = new Table("", Stream.of("task", "kind", "description", "tokens", "distance", "nearest", "score").map(key -> new Heading(key, key, Unit.PLAIN)).toList());
        points.stream().filter(point -> !point.kind().equals(T2L)) // they are among "and more"
                .forEach(p -> table.add(p.cell().task(), title(p.kind()), p.cell().text(), p.tokens(), p.distance(), p.nearest(), p.cell().score()));
        return table;
    }

    private static String title(String kind) {
        return switch (kind) {
            case T2L + "-random" -> "random";
            case T2L + "-other" -> "of another task";
            case T2L + "-vague" -> "vague";
            case T2L -> "matching";
            default -> "matching, and more";
        };
    }

    private static Table kinds(EvalTable found, List<Point> points, long seed) {
        var table = new Table("Scores by description", List.of(new Heading("kind", "description", Unit.PLAIN), new Heading("score", "score", Unit.PERCENT),
                new Heading("low", "from", Unit.PERCENT), new Heading("high", "to", Unit.PERCENT), new Heading("difference", "matching is better by", Unit.PERCENT),
                new Heading("difference_low", "from", Unit.PERCENT), new Heading("difference_high", "to", Unit.PERCENT),
                new Heading("wins", "on tasks better - same - worse", Unit.PLAIN),
                new Heading("distance", "mean distance", Unit.NUMBER)));
        Map<String, EvalTable.Comparison> less = found.comparisons(T2L, seed).stream().collect(Collectors.toMap(EvalTable.Comparison::less, one -> one));
        for (EvalTable.Summary summary : found.summaries(seed)) {
            EvalTable.Comparison one = less.get(summary.column());
            double distance = points.stream().filter(point -> point.kind().equals(summary.column())).mapToDouble(Point::distance).average().orElse(0);
            table.add(title(summary.column()), summary.mean(), summary.low(), summary.high(), one == null ? null : one.difference(), one == null ? null : one.low(),
                    one == null ? null : one.high(), one == null ? null : one.wins() + " - " + one.ties() + " - " + one.losses(), distance);
        }
        return table;
    }

    private static Table correlations(List<Point> points, long seed) {
        var table = new Table("Rank correlations", List.of(new Heading("of", "of", Unit.PLAIN), new Heading("with", "with", Unit.PLAIN),
                new Heading("over", "over descriptions", Unit.PLAIN),
                new Heading("rho", "ρ", Unit.NUMBER), new Heading("low", "from", Unit.NUMBER), new Heading("high", "to", Unit.NUMBER),
                new Heading("points", "points", Unit.COUNT)));
        Predicate<Point> matching = point -> point.kind().equals(MATCHING);
        Map<String, Predicate<Point>> over = new LinkedHashMap<>();
        over.put("matching, and more", matching);
        over.put("all", point -> !point.kind().equals(T2L));
        Map<String, ToDoubleFunction<Point>> of = new LinkedHashMap<>();
        of.put("score", point -> point.cell().score());
        of.put("score less the task's mean", Point::relative);
        Map<String, ToDoubleFunction<Point>> with = new LinkedHashMap<>();
        with.put("length in tokens", Point::tokens);
        with.put("distance from training", Point::distance);
        over.forEach((which, chosen) -> of.forEach((y, score) -> with.forEach((x, value) -> {
            List<Point> those = points.stream().filter(chosen).toList();
            List<String> tasks = those.stream().map(point -> point.cell().task()).distinct().toList();
            RankCorrelation found = RankCorrelation.ofPoints(those.stream().mapToDouble(value).toArray(), those.stream().mapToDouble(score).toArray(),
                    those.stream().mapToInt(point -> tasks.indexOf(point.cell().task())).toArray(), seed);
            found.addTo(table, y, x, which);
        })));
        return table;
    }

    private static List<Chart> charts(List<Point> points) {
        return List.of(chart("score by length", "tokens", "score", points, point -> (double) point.tokens(), point -> point.cell().score()),
                chart("score by distance from training", "distance", "score", points, Point::distance, point -> point.cell().score()),
                chart("score less the task's mean by length", "tokens", "score", points, point -> (double) point.tokens(), Point::relative),
                chart("score less the task's mean by distance", "distance", "score", points, Point::distance, Point::relative));
    }

    private static Chart chart(String title, String x, String y, List<Point> points, ToDoubleFunction<Point> at, ToDoubleFunction<Point> score) {
        Map<String, List<Point>> kinds = points.stream().filter(point -> !point.kind().equals(T2L))
                .collect(Collectors.groupingBy(Point::kind, LinkedHashMap::new, Collectors.toList()));
        List<Chart.Series> series = kinds.entrySet().stream().map(e -> new Chart.Series(title(e.getKey()), e.getValue().stream().mapToDouble(at).boxed().toList(),
                e.getValue().stream().mapToDouble(score).boxed().toList())).toList();
        return new Chart.Points(title, x, y, Chart.Style.POINTS, series);
    }
}
