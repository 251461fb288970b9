package dev.t2l.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.EachBackend;
import dev.t2l.backend.Backend;
import dev.t2l.hyper.HyperConfig.LoraShape;
import dev.t2l.model.Decoder;
import dev.t2l.model.DecoderFile;
import dev.t2l.model.TinyDecoder;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.Projection;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One adapter learns samples by heart; where it starts; the seed decides all. */
class LoraTrainerTest {
    private static final LoraShape SHAPE = new LoraShape(4, 8, true, 2);
    private static final Set<Projection> TARGETS = EnumSet.of(Projection.Q, Projection.V);
    private static final Regularisation NOISE = new Regularisation(0.1f, 0.05f, 1, 0);

    @TempDir
    private Path folder;
    private Backend backend;
    private DecoderFile file;
    private FrozenDecoder base;
    private List<TrainingBatch> batches;

    @BeforeEach
    void open() {
        backend = Backend.open("java");
        file = DecoderFile.open(TinyDecoder.write(folder, "mistral", ""), backend);
        base = new FrozenDecoder(new Decoder(backend, file.config(), file.weights()), DType.F32);
        var random = new Random(11);
        int[] one = random.ints(10, 0, 64).toArray();
        int[] other = random.ints(7, 0, 64).toArray();
        batches = List.of(TrainingBatch.of(List.of(new TrainingBatch.Sample(one, one, 0, 0.5f))), TrainingBatch.of(List.of(new TrainingBatch.Sample(other, other, 0, 0.5f))));
    }

    @AfterEach
    void close() {
        base.close();
        file.close();
        backend.close();
    }

    private LoraTrainer trainer(long seed) {
        return new LoraTrainer(base, SHAPE, TARGETS, Optimiser.Settings.of(0.01, 1), NOISE, seed);
    }

    private double baseLoss() {
        return batches.stream().mapToDouble(b -> base.loss(b, null, 0.1f)).sum();
    }

    @Test
    void startsWhereTheBaseIs() {
        try (LoraTrainer trainer = trainer(1)) {
            assertEquals(baseLoss(), trainer.validate(batches));
            for (Pair pair : trainer.adapter().pairs().values()) {
                double bound = 1 / Math.sqrt(pair.in());
                double squares = 0;
                for (float a : EachBackend.floats(backend, pair.a())) {
                    assertTrue(Math.abs(a) <= bound);
                    squares += a * a;
                }
                assertEquals(bound * bound / 3, squares / pair.a().elements(), 0.1 * bound * bound, "the variance of a uniform distribution");
            }
            assertTrue(trainer.parameters().names().contains("base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight"));
        }
    }

    @Test
    void learns() {
        try (LoraTrainer trainer = trainer(1)) {
            double before = trainer.validate(batches);
            for (int t = 0; t < 60; t++) {
                trainer.step(batches, 0.02, t);
            }
            assertTrue(trainer.validate(batches) < 0.6 * before, "from " + before + " to " + trainer.validate(batches));
        }
    }

    @Test
    void seedsDecide() {
        float[] first = after(1, 5);
        assertArrayEquals(first, after(1, 5));
        assertNotEquals(first[0], after(2, 5)[0]);
        assertNotEquals(first[0], after(1, 6)[0]);
    }

    /** A few values after three steps. */
    private float[] after(long start, long noise) {
        try (LoraTrainer trainer = trainer(start)) {
            StepResult last = null;
            for (int t = 0; t < 3; t++) {
                last = trainer.step(batches, 0.01, noise + 1000L * t);
            }
            float[] a = EachBackend.floats(backend, trainer.adapter().pairs().values().iterator().next().a());
            return new float[] {(float) last.loss(), (float) last.gradientNorm(), a[0], a[1]};
        }
    }

    @Test
    void refusesOtherBases() {
        assertThrows(IllegalArgumentException.class,
                () -> new LoraTrainer(base, new LoraShape(4, 8, true, 3), TARGETS, Optimiser.Settings.of(0, 1), NOISE, 1));
    }
}
