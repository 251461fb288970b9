package dev.t2l;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.backend.Backend;
import dev.t2l.backend.LoraRows;
import dev.t2l.backend.ReplayingBackend;
import dev.t2l.model.Decoder;
import dev.t2l.model.DecoderFile;
import dev.t2l.model.Teacher;
import dev.t2l.ops.LoraBatch;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Each token chooses its adapters at each layer and projection. */
class AdapterRouterTest {
    private static final int[] IDS = {330, 7, 60, 200, 31};

    static List<String> backends() {
        return EachBackend.available();
    }

    private static List<Adapter> library(LanguageModel lm) {
        return IntStream.range(0, 5).mapToObj(i -> Tiny.adapter(lm.config(), 1 + i, 10 + i)).toList();
    }

    private static float[] logits(LanguageModel lm, Adaptation adaptation) {
        return Teacher.lastLogits(lm.decoder(), IDS, adaptation.entries());
    }

    private static void assertClose(float[] want, float[] got) {
        Golden.assertClose("logits", want, got, 1e-4, 1e-4);
    }

    /** What a projection's rows read, and the weights that they chose. */
    private record Seen(float[] x, float[] weights) {
    }

    /** The backend, noting what every call of route reads and writes. */
    private static Backend noting(Backend target, List<Seen> seen) {
        return (Backend) Proxy.newProxyInstance(Backend.class.getClassLoader(), new Class<?>[] {Backend.class}, (_, method, arguments) -> {
            try {
                Object result = method.invoke(target, arguments);
                if (method.getName().equals("route")) {
                    seen.add(new Seen(((Tensor) arguments[0]).toFloats(), ((LoraRows) arguments[1]).weights().toFloats()));
                }
                return result;
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        });
    }

    /** {@code |v . x|}, v the first right singular vector of B A, found by power iteration in double. */
    private static double score(Pair pair, float[] x, int from) {
        int in = (int) pair.in();
        double[] v = new double[in];
        Arrays.fill(v, 1);
        for (int round = 0; round < 3000; round++) {
            double[] low = times(pair.a(), v, pair.rank(), in);
            double[] up = times(pair.b(), low, (int) pair.out(), pair.rank());
            double[] back = transposed(pair.b(), up, (int) pair.out(), pair.rank());
            v = transposed(pair.a(), back, pair.rank(), in);
            double norm = Math.sqrt(Arrays.stream(v).map(e -> e * e).sum());
            v = Arrays.stream(v).map(e -> e / norm).toArray();
        }
        double dot = 0;
        for (int j = 0; j < in; j++) {
            dot += v[j] * x[from + j];
        }
        return Math.abs(dot);
    }

    private static double[] times(Tensor m, double[] v, int rows, int cols) {
        double[] result = new double[rows];
        for (int i = 0; i < rows * cols; i++) {
            result[i / cols] += m.getFloat(i) * v[i % cols];
        }
        return result;
    }

    private static double[] transposed(Tensor m, double[] v, int rows, int cols) {
        double[] result = new double[cols];
        for (int i = 0; i < rows * cols; i++) {
            result[i % cols] += m.getFloat(i) * v[i / cols];
        }
        return result;
    }

    /** Softmax over the best two, the others 0; in the order of the adapters. */
    private static double[] weights(double[] scores, double temperature) {
        Integer[] order = IntStream.range(0, scores.length).boxed().sorted(Comparator.comparingDouble(i -> -scores[i])).toArray(Integer[]::new);
        double second = Math.exp((scores[order[1]] - scores[order[0]]) / temperature);
        double[] weights = new double[scores.length];
        weights[order[0]] = 1 / (1 + second);
        weights[order[1]] = second / (1 + second);
        return weights;
    }

    /** The choice as the test computes it by itself; and the logits of a run that is given these weights. */
    @ParameterizedTest
    @MethodSource("hosts")
    void tokensChooseByTheirInputs(String name, Path model) {
        List<Seen> seen = new ArrayList<>();
        try (Backend backend = Backend.open(name)) {
            Backend noting = noting(backend, seen);
            try (DecoderFile file = DecoderFile.open(model, noting)) {
                List<Adapter> library = IntStream.range(0, 5).mapToObj(i -> Tiny.adapter(file.config(), 1 + i, 10 + i)).toList();
                float temperature = 0.7f;
                List<AdapterMix.Part> parts = library.stream().map(adapter -> new AdapterMix.Part(adapter, 1.5f)).toList();
                var decoder = new Decoder(noting, file.config(), file.weights());
                int[] ids = Arrays.stream(IDS).map(id -> id % file.config().vocabulary()).toArray();
                float[] routed;
                try (AdapterRouter router = AdapterRouter.arrow(parts, 2, temperature, noting)) {
                    routed = Teacher.lastLogits(decoder, ids, router.entries());
                }
                Map<Site, double[][]> chosen = new HashMap<>(); // rows, adapters
                assertEquals(file.config().layers() * Projection.values().length, seen.size(), "every projection has its own choice");
                for (int call = 0; call < seen.size(); call++) {
                    Site site = new Site(call / 7, List.of(Projection.Q, Projection.K, Projection.V, Projection.O, Projection.GATE, Projection.UP, Projection.DOWN).get(call % 7));
                    chosen.put(site, choice(seen.get(call), library, site, temperature, ids.length));
                }
                List<LoraBatch.Entry> given = IntStream.range(0, library.size()).mapToObj(a -> new LoraBatch.Entry(library.get(a).weights(),
                        (row, layer, projection) -> (float) (1.5 * chosen.get(new Site(layer, projection))[row][a]))).toList();
                assertClose(Teacher.lastLogits(decoder, ids, given), routed);
                assertEquals(file.config().layers() * Projection.values().length, seen.size(), "weights that are given are not chosen");
            }
        }
    }

    static List<Arguments> hosts() {
        return backends().stream().filter(name -> !name.equals("cuda"))
                .flatMap(name -> List.of(Tiny.BASE, Tiny.GEMMA).stream().map(model -> Arguments.of(name, model))).toList();
    }

    private static double[][] choice(Seen seen, List<Adapter> library, Site site, double temperature, int rows) {
        int in = seen.x().length / rows;
        double[][] choice = new double[rows][];
        for (int row = 0; row < rows; row++) {
            int from = row * in;
            choice[row] = weights(library.stream().mapToDouble(adapter -> score(adapter.weights().pairs().get(site), seen.x(), from)).toArray(), temperature);
            int width = seen.weights().length / rows;
            for (int a = 0; a < library.size(); a++) {
                assertEquals(1.5 * choice[row][a], seen.weights()[row * width + a], 1e-4, site + ", row " + row + ", adapter " + a);
            }
        }
        return choice;
    }

    /** The one that is always chosen acts as by itself; all, at a temperature that tells none apart, as their average. */
    @ParameterizedTest
    @MethodSource("backends")
    void itsLimitsAreOneAdapterAndTheAverage(String name) {
        try (Backend backend = Backend.open(name); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend)) {
            List<Adapter> library = library(lm);
            try (AdapterRouter one = AdapterRouter.arrow(library.subList(0, 1), backend);
                 AdapterRouter all = AdapterRouter.arrow(AdapterMix.average(library).scaled(5).parts(), 5, 1e9f, backend);
                 AdapterRouter best = AdapterRouter.arrow(AdapterMix.of(library.stream().map(a -> new AdapterMix.Part(a, 1)).toArray(AdapterMix.Part[]::new)).parts(), 1, 1, backend)) {
                assertArrayEquals(logits(lm, library.getFirst()), logits(lm, one), "the same bits");
                assertClose(logits(lm, AdapterMix.average(library)), logits(lm, all));
                assertArrayEquals(logits(lm, Adaptation.none()), logits(lm, all.scaled(0)));
                assertFalse(Arrays.equals(logits(lm, one), logits(lm, best)));
                assertFalse(Arrays.equals(logits(lm, all), logits(lm, best)));
            }
        }
    }

    /** Greedy requests with routers, other adapters and none. */
    @ParameterizedTest
    @MethodSource("backends")
    void aRequestGetsTheSameAloneAndBesideOthers(String name) {
        try (Backend backend = Backend.open(name)) {
            sameAloneAndBesideOthers(backend);
        }
    }

    @Test
    void theSameWhenStepsAreReplayed() {
        try (Backend backend = Backend.open("java")) {
            sameAloneAndBesideOthers(new ReplayingBackend(backend).backend());
        }
    }

    private static void sameAloneAndBesideOthers(Backend backend) {
        try (LanguageModel lm = LanguageModel.load(Tiny.BASE, backend)) {
            List<Adapter> library = library(lm);
            LoraWeights all = library.get(4).weights();
            Map<Site, Pair> some = new HashMap<>(all.pairs());
            some.keySet().removeIf(site -> site.projection() != Projection.Q);
            Adapter onQ = Adapter.of(new LoraWeights(some), backend);
            try (AdapterRouter three = AdapterRouter.arrow(library, backend);
                 AdapterRouter two = AdapterRouter.arrow(List.of(new AdapterMix.Part(onQ, 1), new AdapterMix.Part(library.get(3), 2)), 1, 0.3f, backend)) {
                List<Request> requests = new ArrayList<>();
                List<Adaptation> adaptations = List.of(three, Adaptation.none(), library.get(2), two, three.scaled(-1), AdapterMix.average(library));
                for (int i = 0; i < 12; i++) {
                    requests.add(Request.raw("a prompt of many words".substring(0, 22 - i), adaptations.get(i % 6), Sampling.greedy().withMaxTokens(4 + i)));
                }
                List<Completion> together = lm.generate(requests);
                assertEquals(requests.stream().map(lm::generate).toList(), together);
                assertEquals(together, lm.generate(requests), "the same call twice");
                assertTrue(together.stream().map(Completion::text).distinct().count() > 6, "answers that tell the requests apart");
            }
        }
    }

    @Test
    void whatMakesNoSenseIsRefused() {
        try (Backend backend = Backend.open("java"); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend)) {
            List<Adapter> library = library(lm);
            List<AdapterMix.Part> parts = AdapterMix.average(library).parts();
            assertThrows(IllegalArgumentException.class, () -> AdapterRouter.arrow(List.of(), backend));
            assertThrows(IllegalArgumentException.class, () -> AdapterRouter.arrow(parts, 0, 1, backend));
            assertThrows(IllegalArgumentException.class, () -> AdapterRouter.arrow(parts, 1, 0, backend));
            AdapterRouter router = AdapterRouter.arrow(library, backend);
            String message = assertThrows(IllegalArgumentException.class, () -> lm.merge(router)).getMessage();
            assertTrue(message.contains("average"), message);
            List<LoraBatch.Entry> mixed = List.of(router.entries().getFirst(), library.getFirst().entries().getFirst());
            assertThrows(IllegalArgumentException.class, () -> Teacher.lastLogits(lm.decoder(), IDS, mixed));
            router.close();
            router.close();
            assertThrows(IllegalStateException.class, () -> lm.generate(Request.raw("x", router, Sampling.greedy().withMaxTokens(1))));
            library.getFirst().close();
            assertThrows(IllegalStateException.class, () -> AdapterRouter.arrow(library, backend));
        }
    }
}
