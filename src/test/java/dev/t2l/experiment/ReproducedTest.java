package dev.t2l.experiment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.Adapter;
import dev.t2l.AdapterMix;
import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import dev.t2l.eval.AdapterSource;
import dev.t2l.hyper.GeneratedLora;
import dev.t2l.io.PeftAdapter;
import dev.t2l.io.PeftConfigs;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.train.Training;
import dev.t2l.train.TrainingConfig;
import dev.t2l.train.TrainingListener;
import dev.t2l.train.TrainingModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReproducedTest {
    @TempDir
    Path folder;

    private static Tensor random(SplittableRandom random, int rows, int cols) {
        float[] values = new float[rows * cols];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Tensor.ofFloats(values, rows, cols);
    }

    /** dW = s B A, row by row. */
    private static double[] product(Pair pair) {
        double[] product = new double[(int) (pair.out() * pair.in())];
        for (int o = 0; o < pair.out(); o++) {
            for (int i = 0; i < pair.in(); i++) {
                for (int r = 0; r < pair.rank(); r++) {
                    product[(int) (o * pair.in() + i)] += pair.scale() * pair.b().getFloat((long) o * pair.rank() + r) * pair.a().getFloat(r * pair.in() + i);
                }
            }
        }
        return product;
    }

    @Test
    void theErrorIsThatOfTheProducts() {
        var random = new SplittableRandom(3);
        var one = new Site(0, Projection.Q);
        var two = new Site(1, Projection.V);
        var own = new LoraWeights(Map.of(one, new Pair(random(random, 2, 5), random(random, 7, 2), 0.5f), two, new Pair(random(random, 2, 3), random(random, 4, 2), 0.5f)));
        var wanted = new LoraWeights(Map.of(one, new Pair(random(random, 3, 5), random(random, 7, 3), 2), two, new Pair(random(random, 3, 3), random(random, 4, 3), 2)));
        double gap = 0;
        double length = 0;
        for (Site site : List.of(one, two)) {
            double[] a = product(own.pairs().get(site));
            double[] b = product(wanted.pairs().get(site));
            for (int i = 0; i < a.length; i++) {
                gap += (a[i] - b[i]) * (a[i] - b[i]);
                length += b[i] * b[i];
            }
        }
        try (Backend backend = Backend.open("java")) {
            var oracle = new PeftAdapter(PeftConfigs.describing(wanted, null, false), wanted);
            assertEquals(Math.sqrt(gap / length), ProductError.relative(backend, own, oracle), 1e-9);
            assertEquals(0, ProductError.relative(backend, wanted, oracle), 1e-7);
            var other = new LoraWeights(Map.of(one, own.pairs().get(one)));
            assertThrows(IllegalArgumentException.class, () -> ProductError.relative(backend, other, oracle));
        }
    }

    @Test
    void theAverageIsAsFarAsItsProducts() throws IOException {
        var random = new SplittableRandom(4);
        var site = new Site(0, Projection.Q);
        Map<String, Trained> runs = new TreeMap<>();
        double[] mean = new double[7 * 5];
        for (String task : List.of("one", "two", "three")) {
            var weights = new LoraWeights(Map.of(site, new Pair(random(random, 2, 5), random(random, 7, 2), 0.5f)));
            PeftAdapter.write(Files.createDirectories(folder.resolve(task)), weights, "tiny");
            runs.put(task, new Trained(folder.resolve(task), folder, null, 1, 1, 1));
            double[] product = product(weights.pairs().get(site));
            for (int i = 0; i < mean.length; i++) {
                mean[i] += product[i] / 3;
            }
        }
        List<Adapter> all = runs.values().stream().map(run -> Adapter.load(run.folder())).toList();
        try (Backend backend = Backend.open("java"); Adapter average = AdapterMix.average(all).elementwise()) {
            var control = new AverageOracle(new OracleFolder(folder, runs), AdapterSource.shared(() -> average, "average"));
            assertEquals(meanError(all, product(average.weights().pairs().get(site))), control.error(), 1e-6);
            assertEquals(meanError(all, mean), control.errorOfMeanProduct(backend), 1e-6);
            assertEquals(Files.size(folder.resolve("one").resolve(PeftAdapter.FILE)) / (double) (1 << 20), control.mebibytes());
        }
    }

    private static double meanError(List<Adapter> wanted, double[] product) {
        return wanted.stream().mapToDouble(one -> {
            double[] other = product(one.weights().pairs().values().iterator().next());
            double gap = 0;
            double length = 0;
            for (int i = 0; i < other.length; i++) {
                gap += (product[i] - other[i]) * (product[i] - other[i]);
                length += other[i] * other[i];
            }
            return Math.sqrt(gap / length);
        }).average().orElseThrow();
    }

    /** From numbers a network learns adapters by heart, each under its own number. */
    @Test
    void aNumberLeadsToItsOracle() throws IOException {
        TinyLab.write(folder);
        try (Backend backend = Backend.open("java"); var models = new TrainingModels(backend)) {
            var runs = new Runs(TinyLab.settings(folder, folder.resolve("out")), models, LabListener.NONE);
            List<String> tasks = List.of("task1", "task2", "task3");
            OracleFolder oracles = runs.oracles(tasks);
            TrainingConfig config = TrainingConfig.load(folder.resolve("recon.yaml").toString(), List.of("condition=one_hot", "epochs=400", "optimiser.rate=0.01",
                    "network.dropout=0", "reconstruction.oracles=" + oracles.path(), "tasks=[task1, task2, task3]", "out=" + folder.resolve("numbers"), "validation.every=0"));
            Path trained = Training.run(config, backend, false, TrainingListener.NONE).getFirst().trained();
            try (var numbered = new NumberedTasks(trained, backend)) {
                for (String task : tasks) {
                    try (GeneratedLora lora = numbered.generate(List.of("task3", task)).getLast()) {
                        Map<String, Double> errors = new TreeMap<>();
                        tasks.forEach(other -> errors.put(other, ProductError.relative(backend, lora.lora(), PeftAdapter.read(oracles.runs().get(other).folder()))));
                        double own = errors.remove(task);
                        assertTrue(own < 0.6 && errors.values().stream().allMatch(other -> other > 1.3 * own), task + ": " + own + ", others " + errors);
                    }
                }
                assertTrue(assertThrows(IllegalArgumentException.class, () -> numbered.load(List.of("other"))).getMessage().contains("was not trained on"));
            }
            assertThrows(IllegalArgumentException.class, () -> new NumberedTasks(Tiny.T2L, backend));
        }
    }
}
