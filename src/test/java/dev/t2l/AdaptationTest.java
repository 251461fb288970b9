package dev.t2l;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.backend.Backend;
import dev.t2l.io.PeftConfigs;
import dev.t2l.model.Teacher;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What adapters do to a model: their sum, their scale, merged or not; and what is refused. */
class AdaptationTest {
    private static final int[] IDS = {330, 7, 60, 200, 31};

    static List<String> backends() {
        return EachBackend.available();
    }

    private static float[] logits(LanguageModel lm, Adaptation adaptation) {
        return Teacher.lastLogits(lm.decoder(), IDS, adaptation.entries());
    }

    private static void assertClose(float[] want, float[] got) {
        Golden.assertClose("logits", want, got, 1e-4, 1e-4);
    }

    /** Both adapters as one: their ranks added, the scales folded into B. */
    private static Adapter sum(Adapter a, float weightOfA, Adapter b, float weightOfB) {
        Map<LoraWeights.Site, LoraWeights.Pair> pairs = new HashMap<>();
        a.weights().pairs().forEach((site, one) -> pairs.put(site, stacked(one, weightOfA, b.weights().pairs().get(site), weightOfB)));
        var weights = new LoraWeights(pairs);
        return new Adapter(weights, PeftConfigs.describing(weights, null, false), Optional.empty(), Optional.empty(), () -> { });
    }

    private static LoraWeights.Pair stacked(LoraWeights.Pair a, float weightOfA, LoraWeights.Pair b, float weightOfB) {
        int rank = a.rank() + b.rank();
        float[] first = Arrays.copyOf(a.a().toFloats(), rank * (int) a.in());
        System.arraycopy(b.a().toFloats(), 0, first, a.rank() * (int) a.in(), b.rank() * (int) b.in());
        float[] second = new float[(int) a.out() * rank];
        for (int o = 0; o < a.out(); o++) {
            for (int k = 0; k < rank; k++) {
                second[o * rank + k] = k < a.rank() ? weightOfA * a.scale() * a.b().getFloat((long) o * a.rank() + k)
                        : weightOfB * b.scale() * b.b().getFloat((long) o * b.rank() + k - a.rank());
            }
        }
        return new LoraWeights.Pair(Tensor.ofFloats(first, rank, a.in()), Tensor.ofFloats(second, a.out(), rank), 1);
    }

    @ParameterizedTest
    @MethodSource("backends")
    void scaleZeroIsTheBaseAndAMixIsTheSum(String name) {
        try (Backend backend = Backend.open(name); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend)) {
            Adapter a = Tiny.adapter(lm.config(), 2, 1);
            Adapter b = Tiny.adapter(lm.config(), 5, 2);
            float[] base = logits(lm, Adaptation.none());
            assertArrayEquals(base, logits(lm, a.scaled(0)));
            assertArrayEquals(base, logits(lm, AdapterMix.between(a, b, 0.25f).scaled(0)));
            assertFalse(Arrays.equals(base, logits(lm, a)));
            assertArrayEquals(logits(lm, a), logits(lm, a.scaled(2).scaled(0.5f)));
            assertClose(logits(lm, sum(a, 0.75f, b, 0.25f)), logits(lm, AdapterMix.between(a, b, 0.25f)));
            assertClose(logits(lm, a.scaled(2)), logits(lm, AdapterMix.of(new AdapterMix.Part(a, 1), new AdapterMix.Part(a, 1))));
        }
    }

    /** In the test's own doubles: what one site's average adds is the mean of what the adapters add; element by element it is not. */
    @ParameterizedTest
    @MethodSource("backends")
    void adaptersAreAveraged(String name) {
        try (Backend backend = Backend.open(name); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend)) {
            Adapter a = Tiny.adapter(lm.config(), 2, 1);
            Adapter b = Tiny.adapter(lm.config(), 2, 2);
            Adapter c = Tiny.adapter(lm.config(), 5, 3);
            AdapterMix mix = AdapterMix.average(List.of(a, b, c));
            Adapter average = mix.concatenated();
            assertClose(logits(lm, mix), logits(lm, average));
            LoraWeights.Site site = a.weights().pairs().keySet().iterator().next();
            double[] mean = delta(a, site);
            double[] second = delta(b, site);
            double[] third = delta(c, site);
            double[] got = delta(average, site);
            assertEquals(9, average.weights().pairs().get(site).rank());
            for (int i = 0; i < mean.length; i++) {
                assertEquals((mean[i] + second[i] + third[i]) / 3, got[i], 1e-6, "value " + i);
            }
            Adapter elements = AdapterMix.average(List.of(a, b)).elementwise();
            LoraWeights.Pair pair = elements.weights().pairs().get(site);
            assertEquals(a.weights().pairs().get(site).scale(), pair.scale());
            for (int i = 0; i < pair.a().elements(); i++) {
                assertEquals((a.weights().pairs().get(site).a().getFloat(i) + b.weights().pairs().get(site).a().getFloat(i)) / 2, pair.a().getFloat(i), 1e-6f);
            }
            for (int i = 0; i < pair.b().elements(); i++) {
                assertEquals((a.weights().pairs().get(site).b().getFloat(i) + b.weights().pairs().get(site).b().getFloat(i)) / 2, pair.b().getFloat(i), 1e-6f);
            }
            String message = assertThrows(IllegalArgumentException.class, mix::elementwise).getMessage();
            assertTrue(message.contains("rank 2") && message.contains("rank 5"), message);
            assertThrows(IllegalStateException.class, () -> AdapterMix.of().concatenated());
        }
    }

    private static double[] delta(Adapter adapter, LoraWeights.Site site) {
        LoraWeights.Pair pair = adapter.weights().pairs().get(site);
        double[] delta = new double[(int) (pair.out() * pair.in())];
        for (int o = 0; o < pair.out(); o++) {
            for (int i = 0; i < pair.in(); i++) {
                for (int k = 0; k < pair.rank(); k++) {
                    delta[(int) (o * pair.in() + i)] += (double) pair.scale() * pair.b().getFloat((long) o * pair.rank() + k) * pair.a().getFloat(k * pair.in() + i);
                }
            }
        }
        return delta;
    }

    @ParameterizedTest
    @MethodSource("backends")
    void mergedWeightsGiveTheAdaptedLogits(String name) {
        try (Backend backend = Backend.open(name); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend)) {
            Adapter a = Tiny.adapter(lm.config(), 2, 1);
            Adapter b = Tiny.adapter(lm.config(), 5, 2);
            AdapterMix mix = AdapterMix.between(a, b, 0.5f);
            float[] base = logits(lm, Adaptation.none());
            try (LanguageModel merged = lm.merge(mix)) {
                assertClose(logits(lm, mix), logits(merged, Adaptation.none()));
                assertArrayEquals(base, logits(lm, Adaptation.none()), "the base stays as it is");
                try (LanguageModel unmerged = merged.unmerge()) {
                    assertArrayEquals(base, logits(unmerged, Adaptation.none()));
                    assertThrows(IllegalStateException.class, unmerged::unmerge);
                }
            }
        }
    }

    @Test
    void mergedModelsAndTheirBasesCloseInAnyOrder() {
        try (Backend backend = Backend.best()) {
            LanguageModel lm = LanguageModel.load(Tiny.BASE, backend);
            Adapter a = Tiny.adapter(lm.config(), 2, 1);
            float[] base = logits(lm, Adaptation.none());
            float[] twice = logits(lm, a.scaled(2));
            LanguageModel once = lm.merge(a);
            float[] adapted = logits(once, Adaptation.none());
            LanguageModel more = once.merge(a);
            lm.close();
            assertArrayEquals(adapted, logits(once, Adaptation.none()));
            once.close();
            assertClose(twice, logits(more, Adaptation.none()));
            LanguageModel back = more.unmerge();
            more.close();
            assertArrayEquals(adapted, logits(back, Adaptation.none()));
            LanguageModel first = back.unmerge();
            back.close();
            assertArrayEquals(base, logits(first, Adaptation.none()));
            assertEquals(1, first.generate(Request.raw("x", a, Sampling.greedy().withMaxTokens(1))).tokens().length);
            first.close();
        }
    }

    private static void assertRefused(LanguageModel lm, Adapter adapter, String... parts) {
        Request request = Request.raw("x", adapter, Sampling.greedy());
        String message = assertThrows(IllegalArgumentException.class, () -> lm.generate(request)).getMessage();
        for (String part : parts) {
            assertTrue(message.contains(part), message);
        }
        assertThrows(IllegalArgumentException.class, () -> lm.generate(List.of(Request.raw("x", Adaptation.none(), Sampling.greedy()), request)));
        assertThrows(IllegalArgumentException.class, () -> lm.merge(adapter));
    }

    @Test
    void whatDoesNotFitIsRefused(@TempDir Path folder) throws Exception {
        try (Backend backend = Backend.best();
                LanguageModel lm = LanguageModel.load(Tiny.BASE, backend);
                LanguageModel gemma = LanguageModel.load(Tiny.GEMMA, backend)) {
            Adapter fits = Tiny.adapter(lm.config(), 2, 1);
            assertRefused(lm, Tiny.adapter(gemma.config(), 2, 1), "does not fit");
            Map<LoraWeights.Site, LoraWeights.Pair> tooDeep = new HashMap<>(fits.weights().pairs());
            var site = fits.weights().pairs().keySet().iterator().next();
            tooDeep.put(new LoraWeights.Site(lm.config().layers(), site.projection()), tooDeep.get(site));
            var weights = new LoraWeights(tooDeep);
            assertRefused(lm, new Adapter(weights, fits.config(), Optional.empty(), Optional.empty(), () -> { }), "layers." + lm.config().layers(), lm.config().layers() + " layers");
            assertThrows(IllegalArgumentException.class, () -> lm.merge(Adaptation.none()), "nothing to merge");

            Path onDisk = Files.createDirectory(folder.resolve("gemma"));
            Tiny.adapter(gemma.config(), 2, 1).save(onDisk);
            assertThrows(IllegalArgumentException.class, () -> lm.loadAdapter(onDisk));
            Path unknown = Files.createDirectory(folder.resolve("unknown"));
            fits.save(unknown);
            Path config = unknown.resolve("adapter_config.json");
            Files.writeString(config, Files.readString(config).replace("q_proj", "router"));
            String message = assertThrows(RuntimeException.class, () -> lm.loadAdapter(unknown)).getMessage();
            assertTrue(message.contains("router") || message.contains("q_proj"), message);
        }
    }

    @Test
    void weightsMustBeFinite() {
        try (Backend backend = Backend.best(); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend)) {
            Adapter a = Tiny.adapter(lm.config(), 1, 1);
            assertThrows(IllegalArgumentException.class, () -> a.scaled(Float.NaN));
            assertThrows(IllegalArgumentException.class, () -> AdapterMix.between(a, a, Float.POSITIVE_INFINITY));
        }
    }

    @Test
    void savedAdaptersComeBack(@TempDir Path folder) throws Exception {
        try (Backend backend = Backend.best(); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend); TextToLora t2l = TextToLora.load(Tiny.T2L, lm)) {
            try (Adapter adapter = t2l.generate("  Ändere \"nichts\".\n")) {
                adapter.save(folder.resolve("peft"));
                adapter.saveGguf(folder.resolve("lora.gguf"), lm.config(), DType.F32);
                assertEquals("  Ändere \"nichts\".\n\n", Files.readString(folder.resolve("peft/task_description.txt")));
                float[] want = logits(lm, adapter);
                try (Adapter peft = lm.loadAdapter(folder.resolve("peft")); Adapter alone = Adapter.load(folder.resolve("peft"));
                        Adapter gguf = lm.loadAdapter(folder.resolve("lora.gguf"))) {
                    assertArrayEquals(want, logits(lm, peft));
                    assertEquals(Optional.of("Ändere \"nichts\"."), peft.description());
                    assertEquals(peft.config(), alone.config());
                    assertClose(want, logits(lm, gguf));
                    adapter.onHost(Arena.ofAuto()).pairs().forEach((site, pair) -> assertArrayEquals(pair.b().toFloats(), gguf.weights().pairs().get(site).b().toFloats()));
                }
                adapter.save(folder.resolve("half"), DType.BF16);
                try (Adapter half = Adapter.load(folder.resolve("half"))) {
                    Golden.assertClose("logits with a bf16 adapter", want, logits(lm, half), 0.05, 0.05);
                    assertFalse(Arrays.equals(want, logits(lm, half)));
                }
            }
        }
    }
}
