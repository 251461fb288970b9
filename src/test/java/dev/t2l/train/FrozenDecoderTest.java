package dev.t2l.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.backend.Activation;
import dev.t2l.backend.AttentionSpec;
import dev.t2l.backend.Backend;
import dev.t2l.model.Decoder;
import dev.t2l.model.DecoderConfig;
import dev.t2l.model.DecoderFile;
import dev.t2l.model.DecoderWeights;
import dev.t2l.model.FileType;
import dev.t2l.model.GgufExport;
import dev.t2l.model.TinyDecoder;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.DoubleSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A frozen decoder in training: its gradients against differences of its loss, and what must not change them. */
class FrozenDecoderTest {
    private static final String GEMMA = ", \"final_logit_softcapping\": 5.0, \"attn_logit_softcapping\": 3.0, \"sliding_window\": 4, \"query_pre_attn_scalar\": 9";
    private static final Regularisation NOISE = new Regularisation(0.1f, 0.25f, 5, 77);

    @TempDir
    private Path folder;
    private final Random random = new Random(3);
    private Backend backend;
    private DecoderFile file;
    private Decoder decoder;

    @BeforeEach
    void open() {
        backend = Backend.open("java");
        file = DecoderFile.open(TinyDecoder.write(folder, "gemma2", GEMMA), backend);
        decoder = new Decoder(backend, file.config(), file.weights());
    }

    @AfterEach
    void close() {
        file.close();
        backend.close();
    }

    private LoraWeights adapter(int lowestLayer, Projection... projections) {
        DecoderConfig config = decoder.config();
        Map<Site, Pair> pairs = new LinkedHashMap<>();
        for (int l = lowestLayer; l < config.layers(); l++) {
            for (Projection p : projections) {
                pairs.put(new Site(l, p), new Pair(normal(2, config.in(p)), normal(config.out(p), 2), 0.5f));
            }
        }
        return new LoraWeights(pairs);
    }

    private Tensor normal(long rows, long cols) {
        float[] values = new float[Math.toIntExact(rows * cols)];
        for (int i = 0; i < values.length; i++) {
            values[i] = 0.2f * (float) random.nextGaussian();
        }
        return Tensor.ofFloats(values, rows, cols);
    }

    private TrainingBatch.Sample sample(int length, int prompt, int adapter, float weight) {
        int[] ids = random.ints(length, 0, decoder.config().vocabulary()).toArray();
        int[] labels = ids.clone();
        Arrays.fill(labels, 0, prompt, TrainingBatch.IGNORED);
        return new TrainingBatch.Sample(ids, labels, adapter, weight);
    }

    private List<TrainingBatch.Sample> samples() {
        return List.of(sample(9, 3, 0, 0.5f), sample(6, 1, 1, 0.25f), sample(11, 8, 1, 0.25f));
    }

    private SampleAdapters all(List<TrainableLora> loras) {
        return new SampleAdapters(decoder, loras.stream().map(TrainableLora::weights).toList(), loras.stream().map(TrainableLora::gradients).toList());
    }

    /** Every matrix, in its steepest direction and in a random one; random numbers on, and the same in every call. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    void gradients(int lowestLayer) {
        List<TrainableLora> loras = List.of(TrainableLora.of(backend, adapter(lowestLayer, Projection.values())), TrainableLora.of(backend, adapter(lowestLayer, Projection.values())));
        TrainingBatch batch = TrainingBatch.of(samples());
        try (var frozen = new FrozenDecoder(decoder, DType.F32); SampleAdapters adapters = all(loras)) {
            frozen.step(batch, adapters, NOISE);
            Map<String, float[]> gradients = new LinkedHashMap<>();
            loras.forEach(lora -> each(lora, gradients));
            DoubleSupplier loss = () -> frozen.step(batch, adapters, NOISE);
            for (TrainableLora lora : loras) {
                for (Site site : lora.host().pairs().keySet()) {
                    for (boolean b : new boolean[] {false, true}) {
                        String what = name(lora, site, b);
                        float[] gradient = gradients.get(what);
                        assertSlope(what, lora, lora.matrix(site, b), gradient, gradient, loss);
                        assertSlope(what, lora, lora.matrix(site, b), gradient, normal(gradient.length, 1).toFloats(), loss);
                    }
                }
            }
        } finally {
            loras.forEach(TrainableLora::close);
        }
    }

    /** The gradient's slope along a direction of length 1 is the loss's, by four points. */
    private static void assertSlope(String what, TrainableLora lora, Tensor matrix, float[] gradient, float[] direction, DoubleSupplier loss) {
        double length = 0;
        double slope = 0;
        double steepest = 0;
        for (int i = 0; i < direction.length; i++) {
            length += (double) direction[i] * direction[i];
            slope += (double) direction[i] * gradient[i];
            steepest += (double) gradient[i] * gradient[i];
        }
        length = Math.sqrt(length);
        steepest = Math.sqrt(steepest);
        assertTrue(steepest > 1e-4, what + ": a loss that does not depend on it proves nothing");
        float[] before = matrix.toFloats().clone();
        double[] at = new double[4];
        double h = 0x1p-7;
        for (int i = 0; i < 4; i++) {
            double step = new double[] {-2, -1, 1, 2}[i] * h / length;
            for (int j = 0; j < before.length; j++) {
                matrix.setFloat(j, (float) (before[j] + step * direction[j]));
            }
            lora.upload();
            at[i] = loss.getAsDouble();
        }
        for (int j = 0; j < before.length; j++) {
            matrix.setFloat(j, before[j]);
        }
        lora.upload();
        assertEquals((8 * (at[2] - at[1]) - (at[3] - at[0])) / (12 * h), slope / length, 2e-3 * steepest + 2e-5, what);
    }

    /** Passes of a batch, and of its samples one by one, add up to the same gradients; so does a larger batch's memory. */
    @Test
    void accumulates() {
        List<TrainingBatch.Sample> samples = samples();
        Regularisation smooth = Regularisation.smoothing(0.1f);
        List<TrainableLora> loras = List.of(TrainableLora.of(backend, adapter(0, Projection.Q, Projection.DOWN)), TrainableLora.of(backend, adapter(0, Projection.Q, Projection.DOWN)));
        try (var frozen = new FrozenDecoder(decoder, DType.F32); SampleAdapters adapters = all(loras)) {
            Map<String, float[]> parts = new LinkedHashMap<>();
            double sum = 0;
            for (TrainingBatch.Sample one : samples) {
                sum += frozen.step(TrainingBatch.of(List.of(one)), adapters, smooth);
            }
            loras.forEach(lora -> each(lora, parts));
            loras.forEach(TrainableLora::zeroGradients);
            assertEquals(sum, frozen.step(TrainingBatch.of(samples), adapters, smooth), 1e-6);
            assertEquals(sum, frozen.loss(TrainingBatch.of(samples), adapters, 0.1f), 1e-6);
            Map<String, float[]> whole = new LinkedHashMap<>();
            loras.forEach(lora -> each(lora, whole));
            whole.forEach((name, got) -> assertArrayEquals(parts.get(name), got, 1e-6f, name));
        } finally {
            loras.forEach(TrainableLora::close);
        }
    }

    private static void each(TrainableLora lora, Map<String, float[]> into) {
        for (Site site : lora.host().pairs().keySet()) {
            into.put(name(lora, site, false), lora.gradient(site, false).clone());
            into.put(name(lora, site, true), lora.gradient(site, true).clone());
        }
    }

    private static String name(TrainableLora lora, Site site, boolean b) {
        return System.identityHashCode(lora) + "." + site + (b ? ".B" : ".A");
    }

    /** Activations in BF16 give nearly the same loss and gradients; the same in every call. */
    @Test
    void keptInBfloat16() {
        TrainingBatch batch = TrainingBatch.of(List.of(sample(9, 3, 0, 0.5f), sample(6, 1, 0, 0.5f)));
        try (TrainableLora lora = TrainableLora.of(backend, adapter(0, Projection.values())); SampleAdapters adapters = all(List.of(lora));
                var exact = new FrozenDecoder(decoder, DType.F32); var rounded = new FrozenDecoder(decoder, DType.BF16)) {
            double loss = exact.step(batch, adapters, NOISE);
            Map<String, float[]> want = new LinkedHashMap<>();
            each(lora, want);
            lora.zeroGradients();
            double near = rounded.step(batch, adapters, NOISE);
            assertEquals(loss, near, 2e-3 * loss);
            Map<String, float[]> got = new LinkedHashMap<>();
            each(lora, got);
            lora.zeroGradients();
            assertEquals(near, rounded.step(batch, adapters, NOISE));
            Map<String, float[]> again = new LinkedHashMap<>();
            each(lora, again);
            got.forEach((name, values) -> assertArrayEquals(values, again.get(name), name));
            double length = 0;
            double gap = 0;
            for (var entry : want.entrySet()) {
                float[] values = entry.getValue();
                assertFalse(Arrays.equals(values, got.get(entry.getKey())), entry.getKey() + " shows no rounding");
                for (int i = 0; i < values.length; i++) {
                    length += (double) values[i] * values[i];
                    gap += Math.pow(values[i] - got.get(entry.getKey())[i], 2);
                }
            }
            assertTrue(Math.sqrt(gap) < 0.1 * Math.sqrt(length), "off by " + Math.sqrt(gap / length));
            long f32 = exact.plan(1000, 500, 1, adapters.projections()).bytes();
            assertTrue(rounded.plan(1000, 500, 1, adapters.projections()).bytes() < f32);
        }
    }

    /** The seed decides all noise, and noise changes the loss. */
    @Test
    void seeds() {
        TrainingBatch batch = TrainingBatch.of(List.of(sample(9, 3, 0, 1)));
        try (TrainableLora lora = TrainableLora.of(backend, adapter(0, Projection.values())); SampleAdapters adapters = all(List.of(lora));
                var frozen = new FrozenDecoder(decoder, DType.F32)) {
            double first = frozen.step(batch, adapters, NOISE);
            assertNotEquals(first, frozen.step(batch, adapters, NOISE.seeded(78)));
            assertNotEquals(first, frozen.step(batch, adapters, new Regularisation(0.1f, 0.25f, 0, 77)));
            assertNotEquals(first, frozen.step(batch, adapters, new Regularisation(0.1f, 0, 5, 77)));
            assertEquals(first, frozen.step(batch, adapters, NOISE));
            assertEquals(frozen.step(batch, adapters, Regularisation.smoothing(0.1f)), frozen.loss(batch, adapters, 0.1f));
            assertNotEquals(frozen.loss(batch, null, 0.1f), frozen.loss(batch, adapters, 0.1f));
        }
    }

    /** A file whose query and key rows are interleaved gives the gradients of the folder it was made from. */
    @Test
    void interleavedHeads() {
        Path source = TinyDecoder.write(folder.resolve("llama"), "llama", "");
        Path gguf = folder.resolve("llama.gguf");
        try (var export = GgufExport.open(source, List.of())) {
            export.as(FileType.F32).write(gguf);
        }
        LoraWeights adapter = adapter(0, Projection.values());
        TrainingBatch batch = TrainingBatch.of(List.of(sample(9, 3, 0, 0.5f), sample(6, 1, 0, 0.5f)));
        Map<Path, Map<String, float[]>> gradients = new LinkedHashMap<>();
        for (Path path : List.of(source, gguf)) {
            try (DecoderFile model = DecoderFile.open(path, backend)) {
                var other = new Decoder(backend, model.config(), model.weights());
                try (TrainableLora lora = TrainableLora.of(backend, adapter); var frozen = new FrozenDecoder(other, DType.F32);
                        var adapters = new SampleAdapters(other, List.of(lora.weights()), List.of(lora.gradients()))) {
                    frozen.step(batch, adapters, new Regularisation(0.1f, 0.25f, 0, 5));
                    Map<String, float[]> here = new LinkedHashMap<>();
                    each(lora, here);
                    here.forEach((name, values) -> gradients.computeIfAbsent(path, _ -> new LinkedHashMap<>()).put(name.substring(name.indexOf('.')), values));
                }
            }
        }
        assertEquals(28, gradients.get(source).size());
        gradients.get(source).forEach((name, want) -> assertArrayEquals(want, gradients.get(gguf).get(name), 1e-5f, name));
    }

    /** Mistral-7B, 8 samples of 512 tokens, q and v adapted: what is needed beside 13.5 GiB of weights. */
    @Test
    void planOfSevenBillion() {
        var shape = new AttentionSpec(32, 8, 128, 1, 0, 0);
        var mistral = new DecoderConfig("mistral", 32000, 4096, 14336, 32, 32768, new DecoderConfig.Norm(1e-5f, 0),
                new DecoderConfig.Attention(shape, new boolean[32]), new DecoderConfig.Rope(new float[64], 1, false), 1, Activation.SILU, 0, false);
        var layer = new DecoderWeights.Layer(Map.of(), null, null, null, null, null, null);
        var weights = new DecoderWeights(null, Collections.nCopies(32, layer), null, null, null);
        var room = new FrozenActivations.Room(8 * 512, 8 * 512, 8, EnumSet.of(Projection.Q, Projection.V));
        long bytes = FrozenActivations.table(mistral, weights, room, DType.BF16).bytes();
        assertTrue(bytes < 13.1e9, "bytes " + bytes);
    }

    @Test
    void refuses() {
        assertThrows(IllegalArgumentException.class, () -> new FrozenDecoder(decoder, DType.F16));
        assertThrows(IllegalArgumentException.class, () -> sample(5, 5, 0, 1), "nothing to predict");
        assertThrows(IllegalArgumentException.class, () -> TrainingBatch.of(List.of()));
        try (TrainableLora lora = TrainableLora.of(backend, adapter(0, Projection.Q)); SampleAdapters adapters = all(List.of(lora));
                TrainableLora other = TrainableLora.of(backend, adapter(1, Projection.Q)); var frozen = new FrozenDecoder(decoder, DType.F32)) {
            TrainingBatch second = TrainingBatch.of(List.of(sample(5, 2, 1, 1)));
            assertThrows(IllegalArgumentException.class, () -> frozen.step(second, adapters, NOISE), "there is no second adapter");
            var strange = new TrainingBatch.Sample(new int[] {1, 64}, new int[] {-100, 64}, 0, 1);
            assertThrows(IllegalArgumentException.class, () -> frozen.step(TrainingBatch.of(List.of(strange)), adapters, NOISE), "outside the vocabulary");
            assertThrows(IllegalArgumentException.class, () -> all(List.of(lora, other)), "adapters at different sites");
        }
    }
}
