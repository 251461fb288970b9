package dev.t2l.bench;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.backend.Backend;
import dev.t2l.backend.JavaBackend;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.hyper.HyperParameters;
import dev.t2l.model.DecoderConfig;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Projection;
import dev.t2l.tensor.Tensor;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Random weights have the spread of real ones in every format, and the shapes have the published sizes. */
class RandomWeightsTest {
    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q4_K", "Q6_K"})
    void haveTheirSpreadAndNoTwoShareMemory(DType type) {
        try (Backend java = new JavaBackend(); var random = new RandomWeights(java); var again = new RandomWeights(java)) {
            Tensor a = random.matrix(type, 128, 1024);
            Tensor b = random.matrix(type, 128, 1024);
            float[] values = a.toFloats();
            double mean = 0;
            double squares = 0;
            for (float v : values) {
                mean += v / values.length;
                squares += (double) v * v / values.length;
            }
            assertEquals(0, mean, type == DType.Q4_0 ? 0.003 : 0.001);
            assertEquals(0.02, Math.sqrt(squares), 0.002);
            assertTrue(a.address() + a.bytes() <= b.address() || b.address() + b.bytes() <= a.address());
            assertFalse(Arrays.equals(values, b.toFloats()));
            assertArrayEquals(values, again.matrix(type, 128, 1024).toFloats());
        }
    }

    @Test
    void otherTypesAreRefused() {
        try (Backend java = new JavaBackend(); var random = new RandomWeights(java)) {
            assertThrows(IllegalArgumentException.class, () -> random.matrix(DType.Q5_K, 1, 256));
        }
    }

    /** Trainable parameters that the paper gives: 55, 34 and 5 million. */
    @ParameterizedTest
    @CsvSource({"L, 55.42", "M, 34.41", "S, 4.996"})
    void hypernetworksHaveThePublishedSizes(Variant variant, double millions) {
        var config = HyperShape.of(variant, "mistral-7b", DecoderShapes.of("mistral-7b"), EncoderShape.of("gte-large").width());
        assertEquals(millions, HyperParameters.of(config).trainableCount() * 1e-6, 0.006);
    }

    /** Bytes a token that llama.cpp reads of files of this shape: 14.22, 7.56 and 4.29 GB. */
    @ParameterizedTest
    @CsvSource({"BF16, 14.22", "Q8_0, 7.56", "Q4_K_M, 4.29"})
    void formatsHaveTheSizesOfLlamaCpp(WeightFormat format, double gigabytes) {
        DecoderConfig c = DecoderShapes.of("mistral-7b");
        long bytes = format.typeOf("lm_head.weight", c).bytes((long) c.vocabulary() * c.hidden());
        for (int l = 0; l < c.layers(); l++) {
            for (var p : Projection.values()) {
                bytes += format.typeOf("model.layers." + l + "." + p.path() + ".weight", c).bytes((long) c.in(p) * c.out(p));
            }
        }
        assertEquals(gigabytes, bytes * 1e-9, 0.006);
    }

    @Test
    void nonsenseIsNotTimed() {
        float[] good = {1, 2, 3};
        float[] other = {1, 2, 4};
        Sanity.check("this", good, other);
        assertThrows(IllegalStateException.class, () -> Sanity.check("this", good, good.clone()));
        assertThrows(IllegalStateException.class, () -> Sanity.check("this", new float[] {5, 5, 5}, other));
        assertThrows(IllegalStateException.class, () -> Sanity.check("this", new float[] {1, Float.NaN, 2}, other));
    }

    @Test
    void samplesAreSummedUp() {
        double[] millis = new double[200];
        Arrays.setAll(millis, i -> 200 - i);
        var samples = new Samples(millis);
        assertEquals(100.5, samples.median());
        assertEquals(198, samples.p99());
        assertEquals(3, new Samples(new double[] {3, 1, 2}).p99());
        assertEquals(2, new Samples(new double[] {3, 1, 2}).median());
    }
}
