package dev.t2l.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.EachBackend;
import dev.t2l.backend.Backend;
import dev.t2l.hyper.GeneratedLora;
import dev.t2l.hyper.HyperCheckpoint;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.hyper.Hypernetwork;
import dev.t2l.io.PeftAdapter;
import dev.t2l.io.PeftConfigs;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Reconstruction from a library of random adapters: what is learned, resumed, saved and refused. */
class ReconstructionTest {
    private static final int EMBEDDING = 6;
    private static final int TASKS = 5;

    @TempDir
    Path temporary;

    private static Oracle oracle(String task, long seed, int out) {
        var random = new SplittableRandom(seed);
        Map<Site, Pair> pairs = new HashMap<>();
        for (int layer = 0; layer < 2; layer++) {
            pairs.put(new Site(layer, Projection.Q), new Pair(normal(random, 2, 8), normal(random, out, 2), 2));
            pairs.put(new Site(layer, Projection.V), new Pair(normal(random, 2, 8), normal(random, 4, 2), 2));
        }
        var weights = new LoraWeights(pairs);
        return new Oracle(task, new PeftAdapter(PeftConfigs.describing(weights, "tiny", false), weights), normal(random, 3, EMBEDDING));
    }

    private static Tensor normal(SplittableRandom random, int rows, int cols) {
        float[] values = new float[rows * cols];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Tensor.ofFloats(values, rows, cols);
    }

    static OracleLibrary library() {
        List<Oracle> oracles = new ArrayList<>();
        for (int k = 0; k < TASKS; k++) {
            oracles.add(oracle("task " + k, k, 10));
        }
        return new OracleLibrary(oracles);
    }

    private static ReconstructionBuilder small(Backend backend) {
        return Reconstruction.builder().library(library()).backend(backend).sizes(16, 24).batch(2, 2).embModel("an encoder").seed(5);
    }

    private static double mean(List<Reconstruction.Step> steps) {
        return steps.stream().mapToDouble(Reconstruction.Step::loss).average().orElseThrow();
    }

    @ParameterizedTest
    @EnumSource
    void learns(Variant variant) {
        try (Backend backend = Backend.open("cpu"); var training = small(backend).variant(variant).epochs(60).rate(1e-2, 0.1).dropout(0).build()) {
            List<Reconstruction.Step> steps = new ArrayList<>();
            for (long t = 0; t < training.steps(); t++) {
                steps.add(training.step(t));
            }
            assertEquals(180, steps.size());
            assertTrue(mean(steps.subList(174, 180)) < 0.8 * mean(steps.subList(0, 6)), "from " + mean(steps.subList(0, 6)) + " to " + mean(steps.subList(174, 180)));
            assertEquals(0, steps.getFirst().rate());
            assertEquals(1e-2, steps.get(18).rate(), 1e-9);
            assertTrue(steps.stream().allMatch(s -> s.rawError() > 0 && s.rawError() < 10 && s.gradientNorm() > 0));
        }
    }

    /** Squared differences against their definition, in both kinds of targets. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void meanSquares(boolean factorised) {
        try (Backend backend = Backend.open("java");
                var training = (factorised ? small(backend).factorised() : small(backend).deltaW(10)).zScore(false).dropout(0).loss(Reconstruction.Loss.MSE).build()) {
            Path folder = temporary.resolve("net");
            training.save(folder);
            var batch = new Reconstruction.Batch(new int[] {3}, new int[] {1});
            double loss = training.step(0, batch).loss();
            try (HyperCheckpoint checkpoint = HyperCheckpoint.load(folder);
                    Hypernetwork network = checkpoint.network(backend);
                    GeneratedLora adapter = network.generate(library().embeddings(3).slice(1, 2)).getFirst()) {
                LoraWeights want = oracle("task 3", 3, 10).adapter().weights();
                double sum = 0;
                for (Site site : want.pairs().keySet()) {
                    Pair w = want.pairs().get(site);
                    Pair g = adapter.lora().pairs().get(site);
                    sum += factorised ? squares(w.a(), g.a(), 1) / 2 + squares(w.b(), g.b(), 1) / 2 : squares(product(w), product(g), 10);
                }
                assertEquals(sum / want.pairs().size(), loss, 1e-4 * loss);
            }
        }
    }

    private static double squares(Tensor want, Tensor got, double factor) {
        double sum = 0;
        for (long i = 0; i < want.elements(); i++) {
            double gap = factor * ((double) want.getFloat(i) - got.getFloat(i));
            sum += gap * gap / want.elements();
        }
        return sum;
    }

    private static Tensor product(Pair pair) {
        Tensor product = Tensor.ofFloats(new float[Math.toIntExact(pair.out() * pair.in())], pair.out(), pair.in());
        for (int o = 0; o < pair.out(); o++) {
            for (int i = 0; i < pair.in(); i++) {
                float sum = 0;
                for (int k = 0; k < pair.rank(); k++) {
                    sum += pair.b().getFloat((long) o * pair.rank() + k) * pair.a().getFloat(k * pair.in() + i);
                }
                product.setFloat(o * pair.in() + i, sum);
            }
        }
        return product;
    }

    /** With what a run leaves behind, another goes on with the same bits; another seed gives others. */
    @TestFactory
    Stream<DynamicTest> resumed() {
        return EachBackend.available().stream().map(name -> DynamicTest.dynamicTest(name, () -> {
            try (Backend backend = Backend.open(name); var whole = small(backend).variant(Variant.S).dropout(0.2).epochs(3).build();
                    var first = small(backend).variant(Variant.S).dropout(0.2).epochs(3).build();
                    var second = small(backend).variant(Variant.S).dropout(0.2).epochs(3).build();
                    var other = small(backend).variant(Variant.S).dropout(0.2).epochs(3).seed(6).build();
                    var arena = Arena.ofConfined()) {
                for (long t = 0; t < whole.steps(); t++) {
                    whole.step(t);
                    other.step(t);
                    (t < 4 ? first : second).step(t);
                    if (t == 3) {
                        Parameters from = first.parameters();
                        Parameters to = second.parameters();
                        to.upload(to.values(), weights(from.download(from.values(), arena)));
                        to.upload(to.firstMoments(), weights(from.download(from.firstMoments(), arena)));
                        to.upload(to.secondMoments(), weights(from.download(from.secondMoments(), arena)));
                        second.optimiser().resume(first.optimiser().steps());
                    }
                }
                assertEquals(9, second.optimiser().steps());
                for (String p : whole.parameters().names()) {
                    float[] want = EachBackend.floats(backend, whole.parameters().value(p));
                    assertArrayEquals(want, EachBackend.floats(backend, second.parameters().value(p)), p);
                    assertFalse(Arrays.equals(want, EachBackend.floats(backend, other.parameters().value(p))), p + " with another seed");
                }
            }
        }));
    }

    private static Weights weights(Map<String, Tensor> tensors) {
        return new Weights(tensors, () -> { });
    }

    /** What is saved is a checkpoint that generates adapters like the targets; z-scores are undone. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void saved(boolean zScore) {
        Path folder = temporary.resolve("saved");
        try (Backend backend = Backend.open("cpu"); var training = small(backend).zScore(zScore).epochs(300).rate(1e-2, 0.1).dropout(0).batch(5, 0).build()) {
            Reconstruction.Step last = null;
            for (long t = 0; t < training.steps(); t++) {
                last = training.step(t);
            }
            training.save(folder);
            try (HyperCheckpoint checkpoint = HyperCheckpoint.load(folder); Hypernetwork network = checkpoint.network(backend)) {
                assertEquals(training.config(), checkpoint.config());
                assertEquals(library().tasks(), checkpoint.config().origin().trainTasks());
                assertEquals("an encoder", checkpoint.config().origin().embModel().orElseThrow());
                GeneratedLora adapter = network.generate(library().embeddings(2).slice(0, 1)).getFirst();
                Tensor want = library().factors(2).get("A.q_proj");
                double gap = 0;
                double size = 0;
                for (long i = 0; i < want.elements(); i++) {
                    gap += Math.abs(want.getFloat(i) - adapter.a(Projection.Q).getFloat(i)) / want.elements();
                    size += Math.abs(want.getFloat(i)) / want.elements();
                }
                assertTrue(gap < 0.5 * size && last.rawError() < 0.5 * size, "error " + gap + ", raw error " + last.rawError() + ", size " + size);
                adapter.close();
            }
            try (SafeTensors embeddings = SafeTensors.open(folder.resolve(Reconstruction.EMBEDDINGS))) {
                assertEquals(library().tasks(), List.copyOf(embeddings.weights().tensors().keySet()));
                assertArrayEquals(library().embeddings(1).toFloats(), embeddings.weights().get("task 1").toFloats());
            }
            try (HyperCheckpoint checkpoint = HyperCheckpoint.load(folder); var further = small(backend).start(checkpoint).dropout(0).build()) {
                assertTrue(further.step(0).loss() < 1.5 * last.loss() + 0.1, "goes on from the checkpoint");
            }
        }
    }

    @Test
    void notANumber() {
        try (Backend backend = Backend.open("java"); var training = small(backend).build()) {
            training.parameters().value("mlp1.mlp.1.weight").setFloat(3, Float.NaN);
            TrainingException e = assertThrows(TrainingException.class, () -> training.step(7));
            assertTrue(e.getMessage().startsWith("step 8: the loss is NaN, the generated A.q_proj is not finite"), e.getMessage());
            assertEquals(0, training.optimiser().steps());
        }
    }

    @Test
    void librariesThatDoNotFit() {
        Oracle one = oracle("one", 1, 10);
        refused("two tasks", () -> new OracleLibrary(List.of(one, oracle("one", 2, 10))));
        refused("task 'two': wanted at layers.0.self_attn.q_proj rank 2, 8 -> 10", () -> new OracleLibrary(List.of(one, oracle("two", 2, 11))));
        refused("without a task", () -> new OracleLibrary(List.of()));
        refused("embeddings of width 6", () -> new OracleLibrary(List.of(one, new Oracle("two", oracle("two", 2, 10).adapter(), Tensor.ofFloats(new float[5], 1, 5)))));
        refused("F32[n, E]", () -> new Oracle("three", one.adapter(), Tensor.ofFloats(new float[5], 5)));
        Map<Site, Pair> fewer = new HashMap<>(one.adapter().weights().pairs());
        fewer.remove(new Site(1, Projection.V));
        refused("wanted 4 LoRA pairs", () -> new OracleLibrary(List.of(one, new Oracle("two", new PeftAdapter(one.adapter().config(), new LoraWeights(fewer)), one.embeddings()))));
        try (Backend backend = Backend.open("java")) {
            refused("at least two tasks", () -> Reconstruction.builder().library(new OracleLibrary(List.of(one))).backend(backend).build().close());
        }
    }

    private static void refused(String words, Runnable attempt) {
        String message = assertThrows(IllegalArgumentException.class, attempt::run).getMessage();
        assertTrue(message.contains(words), message);
    }
}
