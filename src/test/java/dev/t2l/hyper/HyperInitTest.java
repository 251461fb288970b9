package dev.t2l.hyper;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.EachBackend;
import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import dev.t2l.hyper.HyperConfig.LoraShape;
import dev.t2l.hyper.HyperConfig.Target;
import dev.t2l.hyper.HyperConfig.Training;
import dev.t2l.hyper.HyperParameters.Parameter;
import dev.t2l.hyper.HyperParameters.Role;
import dev.t2l.hyper.TinyHypernetworks.Kind;
import dev.t2l.model.Decoder;
import dev.t2l.model.DecoderFile;
import dev.t2l.model.Teacher;
import dev.t2l.ops.LoraBatch;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.Weights;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Fresh hypernetworks: PyTorch's distributions, and heads whose bias holds a fresh LoRA. */
class HyperInitTest {
    private static final int RANK = 2;

    @ParameterizedTest
    @EnumSource
    void distributions(Kind kind) {
        HyperConfig config = kind.config(TinyHypernetworks.RAW, true);
        Weights weights = HyperInit.weights(config, 3);
        for (Parameter p : HyperParameters.of(config).all().values()) {
            float[] values = weights.get(p.name()).toFloats();
            if (p.role() != Role.TRAINABLE) {
                assertArrayEquals(new float[values.length], values, p.name());
                continue;
            }
            double largest = largest(values);
            switch (p.start()) {
                case UNIFORM -> {
                    double bound = 1 / Math.sqrt(weights.get(p.name().replaceFirst("bias$", "weight")).cols());
                    assertTrue(largest <= bound && largest > (values.length < 40 ? 0.2 : 0.8) * bound, p.name() + ": " + largest + " of " + bound);
                    if (values.length > 200) {
                        assertEquals(bound * bound / 3, meanSquare(values), 0.2 * bound * bound / 3, p.name());
                    }
                }
                case NORMAL -> assertTrue(largest > 0.5 && largest < 6, p.name() + ": " + largest);
                case ONE -> assertTrue(Arrays.equals(values, filled(values.length, 1)), p.name());
                case ZERO -> assertTrue(Arrays.equals(values, new float[values.length]), p.name());
            }
        }
    }

    private static float[] filled(int n, float value) {
        float[] values = new float[n];
        Arrays.fill(values, value);
        return values;
    }

    private static double largest(float[] values) {
        double largest = 0;
        for (float v : values) {
            largest = Math.max(largest, Math.abs(v));
        }
        return largest;
    }

    private static double meanSquare(float[] values) {
        double sum = 0;
        for (float v : values) {
            sum += (double) v * v;
        }
        return sum / values.length;
    }

    @Test
    void embeddingsAreNormal() {
        HyperConfig small = Kind.S.config(TinyHypernetworks.RAW, true);
        var wide = new HyperConfig(new HyperConfig.Architecture(true, true, true, 4096, 8, 8), small.lora(), small.targets(), small.training(), small.origin());
        float[] values = HyperInit.weights(wide, 5).get("pos_emb.0.weight").toFloats();
        double mean = 0;
        double within = 0;
        for (float v : values) {
            mean += v / values.length;
            within += Math.abs(v) < 1 ? 1.0 / values.length : 0;
        }
        assertEquals(0, mean, 0.05);
        assertEquals(1, meanSquare(values), 0.06);
        assertEquals(0.6827, within, 0.02);
    }

    @Test
    void aSeedIsItsBits() {
        HyperConfig config = Kind.M.config(Training.sft(), true);
        float[] one = HyperInit.weights(config, 1).get("mixer.1.weight").toFloats();
        assertArrayEquals(one, HyperInit.weights(config, 1).get("mixer.1.weight").toFloats());
        assertNotEquals(one[0], HyperInit.weights(config, 2).get("mixer.1.weight").toFloats()[0]);
        assertNotEquals(one[0] * Math.sqrt(16), HyperInit.weights(config, 1).get("mixer.4.weight").toFloats()[0] * Math.sqrt(64), 1e-6);
    }

    /** The biases' layout, in modules wider on either side; A as the other variants' of the same seed say. */
    @ParameterizedTest
    @EnumSource
    void headsHoldAFreshLora(Kind kind) {
        for (Target t : List.of(new Target(Projection.Q, 70, 50, true), new Target(Projection.V, 40, 130, true))) {
            HyperConfig config = kind.config(Training.sft(), List.of(t), RANK);
            Weights weights = HyperInit.weights(config, 11);
            String head = "heads." + t.projection().peftName();
            assertEquals(0, largest(weights.get(head + ".weight").toFloats()));
            float[] bias = weights.get(head + ".bias").toFloats();
            assertEquals(config.headOut(t), bias.length);
            int a = RANK * t.in();
            double factor = switch (config.variant()) {
                case L -> 1;
                case M -> Math.sqrt(0.5);
                case S -> Math.sqrt(0.5 / RANK);
                case L_BY_RANK -> Math.sqrt(1.0 / RANK);
            };
            double bound = factor / Math.sqrt(t.in());
            assertTrue(largest(bias) <= 1.000001 * bound && largest(bias) > 0.8 * bound, kind + ": " + largest(bias) + " of " + bound);
            for (int i = 0; i < bias.length; i++) {
                switch (config.variant()) {
                    case L -> assertEquals(i >= a, bias[i] == 0, "B is zero, A is not");
                    case M -> {
                        int width = Math.max(t.in(), t.out());
                        assertEquals(bias[i / width * width + i % width % t.in()], bias[i], "a row of A, over again");
                    }
                    case S, L_BY_RANK -> assertEquals(bias[i % a], bias[i], "A from its start, over again");
                }
            }
            assertNotEquals(bias[0], bias[t.in() - 1]);
        }
    }

    @Test
    void headsOnAMultiTaskLoraStartAtZero() {
        HyperConfig config = Kind.L.config(Training.sft(), false);
        assertEquals(0, largest(HyperInit.weights(config, 1).get("heads.q_proj.weight").toFloats()));
    }

    /** Every layer starts with the same A, and in L with B zero; in the other variants B acts. */
    @TestFactory
    Stream<DynamicTest> untrainedAdapters() {
        return EachBackend.of("hypernet", (folder, backend) -> {
            try (HyperCheckpoint checkpoint = HyperCheckpoint.load(folder)) {
                HyperConfig like = checkpoint.config();
                List<Target> biased = like.targets().stream().map(t -> new Target(t.projection(), t.in(), t.out(), true)).toList();
                untrained(new HyperConfig(like.architecture(), like.lora(), biased, Training.sft(), like.origin()), backend);
            }
        });
    }

    private static void untrained(HyperConfig config, Backend backend) {
        float[] embedding = filled(config.architecture().embedding(), 0.7f);
        try (var network = new Hypernetwork(config, HyperInit.weights(config, 2), backend);
                GeneratedLora adapter = network.generate(backend.place(Tensor.ofFloats(embedding, 1, embedding.length))).getFirst()) {
            for (Target t : config.targets()) {
                float[] a = HyperFamily.floats(backend, adapter.a(t.projection()));
                float[] b = HyperFamily.floats(backend, adapter.b(t.projection()));
                int one = a.length / config.lora().layers();
                for (int i = 0; i < a.length; i++) {
                    assertEquals(a[i % one], a[i], "every layer's A is the first one's");
                }
                assertTrue(largest(a) > 0);
                assertEquals(config.variant() == HyperConfig.Variant.L, largest(b) == 0);
            }
        }
    }

    /** An untrained L leaves the base's logits as they are, to the bit; an untrained S does not. */
    @ParameterizedTest
    @EnumSource(names = {"L", "S"})
    void logits(Kind kind) {
        for (String name : EachBackend.available()) {
            try (Backend backend = Backend.open(name); DecoderFile model = DecoderFile.open(Tiny.BASE, backend)) {
                var decoder = new Decoder(backend, model.config(), model.weights());
                var targets = Stream.of(Projection.Q, Projection.V)
                        .map(p -> new Target(p, Math.toIntExact(model.config().in(p)), Math.toIntExact(model.config().out(p)), true)).toList();
                HyperConfig tiny = kind.config(Training.sft(), targets, RANK);
                var config = new HyperConfig(tiny.architecture(), new LoraShape(RANK, 8, true, model.config().layers()), targets, Training.sft(), tiny.origin());
                try (var network = new Hypernetwork(config, HyperInit.weights(config, 4), backend);
                        GeneratedLora adapter = network.generate(backend.place(Tensor.ofFloats(new float[] {1, -2, 0.5f}, 1, 3))).getFirst()) {
                    int[] ids = {1, 5, 9, 2};
                    float[] base = Teacher.lastLogits(decoder, ids, null);
                    float[] adapted = Teacher.lastLogits(decoder, ids, List.of(new LoraBatch.Entry(adapter.lora(), LoraBatch.Weight.constant(1))));
                    assertEquals(kind == Kind.L, Arrays.equals(base, adapted), kind + " on " + name);
                }
            }
        }
    }
}
