package dev.t2l.experiment;

import dev.t2l.TextToLora;
import dev.t2l.experiment.Table.Heading;
import dev.t2l.experiment.Table.Unit;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/**
 * Do tasks of a family lie together, as texts and as adapters? As the paper's figure of activations: what enters the hypernetwork beside what its last block
 * (mlp3) gives out, mapped to a plane by t-SNE; here that output is the mean over layers and modules. And, beside the paper, the adapters themselves, as what
 * they add to the weights.
 */
final class Embeddings implements Experiment {
    private static final double PERPLEXITY = 30;
    private static final int DRAWN = 1500; // pairs in the scatter plots
    private static final List<String> SPACES = List.of("embeddings", "activations", "adapters");

    /**
     * The descriptions that are mapped.
     *
     * @param tasks  names; training tasks first
     * @param known  how many of them are training tasks
     * @param task   of each text
     */
    private record Subjects(List<String> tasks, int known, List<String> texts, int[] task, List<String> families) {
        static Subjects of(Laboratory lab) {
            Map<String, List<String>> all = new LinkedHashMap<>(lab.data().trainingDescriptions(lab.trainingTasks()));
            int known = all.size();
            lab.unseen().forEach(one -> all.put(one.name(), one.evalDescriptions()));
            List<String> texts = new ArrayList<>();
            List<Integer> task = new ArrayList<>();
            List<String> tasks = List.copyOf(all.keySet());
            tasks.forEach(name -> all.get(name).stream().limit(lab.settings().judging().descriptions()).forEach(text -> {
                texts.add(text);
                task.add(tasks.indexOf(name));
            }));
            return new Subjects(tasks, known, texts, task.stream().mapToInt(Integer::intValue).toArray(), tasks.stream().map(lab.data()::family).toList());
        }

        List<String> tasksOfTexts() {
            return IntStream.of(task).mapToObj(tasks::get).toList();
        }
    }

    @Override
    public String name() {
        return "embeddings";
    }

    @Override
    public String title() {
        return "Descriptions, the hypernetwork's activations and its adapters: maps, families, and whether alike descriptions make alike adapters";
    }

    @Override
    public void run(Laboratory lab) {
        Subjects subjects = Subjects.of(lab);
        Path folder = lab.subject();
        TextToLora network = lab.network(folder);
        List<Gram> spaces = lab.timed("generate", () -> Spaces.of(folder, network, subjects.texts(), lab.backend()));
        long seed = lab.settings().seed();
        List<Gram> means = spaces.stream().map(space -> space.means(subjects.task())).toList();
        lab.table(List.of(silhouettes(subjects, spaces, means), correlations(subjects, means, seed)),
                "Embeddings are the encoder's; activations the output of the hypernetwork's last block before the heads, the mean over layers and modules; "
                        + "adapters what they add to the weights, ΔW = s B A of all layers and modules, compared without being made. Distances are 1 - cosine, of things less "
                        + "the mean of all, which all share.",
                "Silhouettes go from -1 to 1; above 0, things are nearer to those of their own label. Of families they are of tasks, each the mean of its descriptions, "
                        + "so that descriptions of one task do not count as a family; a family of one task has 0. Intervals of the correlations "
                        + "(Spearman's) are by bootstrap over tasks.",
                "The maps are t-SNE of perplexity " + (int) PERPLEXITY + ", seed " + seed + ": crosses are descriptions of unseen tasks. Of the pairs of tasks, " + DRAWN
                + " are drawn.");
        lab.plot(List.of(lab.timed("map", () -> map("embeddings of descriptions", subjects, spaces.get(0), seed)),
                lab.timed("map", () -> map("activations before the heads", subjects, spaces.get(1), seed)),
                pairs("adapters by descriptions", subjects, means.get(0).cosines(), means.get(2).cosines(), seed),
                pairs("adapters by descriptions, less the mean of all", subjects, means.get(0).centred().cosines(), means.get(2).centred().cosines(), seed)));
    }

    private static Table silhouettes(Subjects subjects, List<Gram> spaces, List<Gram> means) {
        List<Heading> headings = new ArrayList<>(List.of(new Heading("label", "silhouette of", Unit.PLAIN), new Heading("things", "of so many", Unit.COUNT)));
        SPACES.forEach(space -> headings.add(new Heading(space, space, Unit.NUMBER)));
        var table = new Table("Silhouettes", headings);
        List<double[][]> ofTexts = spaces.stream().map(space -> space.centred().distances()).toList();
        List<double[][]> ofTasks = means.stream().map(space -> space.centred().distances()).toList();
        row(table, "tasks", subjects.texts().size(), ofTexts.stream().map(distances -> Silhouette.mean(distances, subjects.tasksOfTexts())).toList());
        row(table, "families", subjects.tasks().size(), ofTasks.stream().map(distances -> Silhouette.mean(distances, subjects.families())).toList());
        List<Map<String, Double>> each = ofTasks.stream().map(distances -> Silhouette.byLabel(distances, subjects.families())).toList();
        for (String family : new TreeSet<>(subjects.families())) {
            row(table, "family " + family, (int) subjects.families().stream().filter(family::equals).count(), each.stream().map(silhouettes -> silhouettes.get(family)).toList());
        }
        return table;
    }

    private static void row(Table table, String label, int things, List<Double> values) {
        List<Object> row = new ArrayList<>(List.of(label, things));
        row.addAll(values);
        table.add(row.toArray());
    }

    private static Table correlations(Subjects subjects, List<Gram> means, long seed) {
        var table = new Table("Similarity of tasks: rank correlations with that of their descriptions", List.of(new Heading("of", "cosines of", Unit.PLAIN),
                new Heading("over", "over pairs of", Unit.PLAIN), new Heading("rho", "ρ", Unit.NUMBER), new Heading("low", "from", Unit.NUMBER),
                new Heading("high", "to", Unit.NUMBER),
                new Heading("points", "pairs", Unit.COUNT)));
        Map<String, int[]> over = new LinkedHashMap<>();
        over.put("all tasks", IntStream.range(0, subjects.tasks().size()).toArray());
        over.put("unseen tasks", IntStream.range(subjects.known(), subjects.tasks().size()).toArray());
        over.forEach((which, tasks) -> {
            for (int space = 1; space < SPACES.size(); space++) {
                RankCorrelation.ofPairs(part(means.getFirst().cosines(), tasks), part(means.get(space).cosines(), tasks), seed).addTo(table, SPACES.get(space), which);
                RankCorrelation.ofPairs(part(means.getFirst().centred().cosines(), tasks), part(means.get(space).centred().cosines(), tasks), seed)
                        .addTo(table, SPACES.get(space) + ", less the mean of all", which);
            }
        });
        return table;
    }

    private static double[][] part(double[][] matrix, int[] of) {
        return IntStream.of(of).mapToObj(i -> IntStream.of(of).mapToDouble(j -> matrix[i][j]).toArray()).toArray(double[][]::new);
    }

    private static Chart map(String title, Subjects subjects, Gram space, long seed) {
        double[][] squared = space.centred().distances();
        for (double[] row : squared) {
            for (int j = 0; j < row.length; j++) {
                row[j] *= 2; // of things of length 1
            }
        }
        double[][] plane = TSne.layout(squared, PERPLEXITY, seed);
        Map<String, Chart.Cluster> clusters = new TreeMap<>();
        for (int i = 0; i < plane.length; i++) {
            int task = subjects.task()[i];
            Chart.Cluster cluster = clusters.computeIfAbsent(subjects.families().get(task), family -> new Chart.Cluster(family, new ArrayList<>(), new ArrayList<>()));
            (task < subjects.known() ? cluster.known() : cluster.unseen()).add(plane[i]);
        }
        double silhouette = Silhouette.mean(space.means(subjects.task()).centred().distances(), subjects.families());
        return new Chart.Clusters(String.format(Locale.ROOT, "%s (silhouette of families %.3f)", title, silhouette), List.copyOf(clusters.values()));
    }

    private static Chart pairs(String title, Subjects subjects, double[][] descriptions, double[][] adapters, long seed) {
        int n = subjects.tasks().size();
        int[] all = IntStream.range(0, n * n).filter(pair -> pair / n < pair % n).toArray();
        int[] drawn = all.length <= DRAWN ? all : new SplittableRandom(seed).ints(DRAWN, 0, all.length).map(i -> all[i]).distinct().toArray();
        return new Chart.Points(title, "cosine of descriptions", "cosine of adapters", Chart.Style.POINTS, List.of(
                series("training tasks", drawn, n, pair -> pair % n < subjects.known(), descriptions, adapters),
                series("with an unseen task", drawn, n, pair -> pair % n >= subjects.known(), descriptions, adapters)).stream().filter(one -> !one.x().isEmpty()).toList());
    }

    private static Chart.Series series(String name, int[] pairs, int n, IntPredicate which, double[][] x, double[][] y) {
        int[] chosen = IntStream.of(pairs).filter(which).toArray();
        return new Chart.Series(name, IntStream.of(chosen).mapToObj(pair -> x[pair / n][pair % n]).toList(), IntStream.of(chosen).mapToObj(pair -> y[pair / n][pair % n]).toList());
    }
}
