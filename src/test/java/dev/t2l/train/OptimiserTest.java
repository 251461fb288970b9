package dev.t2l.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.EachBackend;
import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.tensor.TensorTable;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** AdamW over several tensors, with clipping, against its formulas in double; and the schedule. */
class OptimiserTest {
    private static final TensorTable TABLE = new TensorTable().add("one", DType.F32, 3, 5).add("two", DType.F32, 7).add("three", DType.F32, 1);

    @TestFactory
    Stream<DynamicTest> steps() {
        return EachBackend.available().stream().map(name -> DynamicTest.dynamicTest(name, () -> {
            try (Backend backend = Backend.open(name); var parameters = new Parameters(backend, TABLE);
                    var optimiser = new Optimiser(parameters, Optimiser.Settings.of(0.1, 1.5))) {
                against(backend, parameters, optimiser);
            }
        }));
    }

    private static void against(Backend backend, Parameters parameters, Optimiser optimiser) {
        assertEquals(List.of("one", "two", "three"), parameters.names());
        assertEquals(23, parameters.count());
        var random = new SplittableRandom(1);
        double[] w = new double[23];
        double[] m = new double[23];
        double[] v = new double[23];
        for (int t = 1; t <= 6; t++) {
            double size = t % 2 == 0 ? 0.1 : 2; // clipped in every other step
            double[] g = random.doubles(23, -size, size).toArray();
            double squares = 0;
            int i = 0;
            for (String name : parameters.names()) {
                Tensor tensor = parameters.gradient(name);
                float[] part = new float[(int) tensor.elements()];
                for (int k = 0; k < part.length; k++, i++) {
                    part[k] = (float) g[i];
                    squares += g[i] * g[i];
                }
                backend.upload(tensor, Tensor.ofFloats(part, part.length).data());
            }
            double rate = 0.01 * t;
            assertEquals(Math.sqrt(squares), optimiser.step(rate), 1e-5);
            double scale = Math.min(1, 1.5 / (Math.sqrt(squares) + 1e-6));
            assertEquals(t % 2 == 0, scale == 1);
            for (int k = 0; k < 23; k++) {
                m[k] = 0.9 * m[k] + 0.1 * scale * g[k];
                v[k] = 0.999 * v[k] + 0.001 * scale * g[k] * scale * g[k];
                w[k] -= rate * (0.1 * w[k] + m[k] / (1 - Math.pow(0.9, t)) / (Math.sqrt(v[k] / (1 - Math.pow(0.999, t))) + 1e-8));
            }
            int at = 0;
            for (String name : parameters.names()) {
                assertArrayEquals(new float[(int) parameters.gradient(name).elements()], EachBackend.floats(backend, parameters.gradient(name)));
                for (float value : EachBackend.floats(backend, parameters.value(name))) {
                    assertEquals(w[at++], value, 1e-5);
                }
            }
        }
        assertEquals(6, optimiser.steps());
    }

    @Test
    void notFinite() {
        for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, 1e30f}) {
            try (Backend backend = Backend.open("java"); var parameters = new Parameters(backend, TABLE);
                    var optimiser = new Optimiser(parameters, Optimiser.Settings.of(0.1, 1))) {
                parameters.value("one").setFloat(0, 3);
                parameters.gradient("one").setFloat(0, 2);
                parameters.gradient("two").setFloat(4, bad);
                parameters.gradient("three").setFloat(0, bad);
                String message = assertThrows(TrainingException.class, () -> optimiser.step(0.1)).getMessage();
                assertTrue(message.contains("step 1") && message.contains("gradient of two"), message);
                assertEquals(3, parameters.value("one").getFloat(0));
                assertEquals(2, parameters.gradient("one").getFloat(0));
                assertEquals(0, parameters.firstMoments().get("one").getFloat(0));
                assertEquals(0, optimiser.steps());
            }
        }
    }

    @Test
    void misuse() {
        assertThrows(IllegalArgumentException.class, () -> Optimiser.Settings.of(-1, 1));
        assertThrows(IllegalArgumentException.class, () -> Optimiser.Settings.of(0, 0));
        try (Backend backend = Backend.open("java")) {
            assertThrows(IllegalArgumentException.class, () -> new Parameters(backend, new TensorTable().add("half", DType.F16, 4)));
            assertThrows(IllegalArgumentException.class, () -> new Parameters(backend, new TensorTable()));
        }
    }

    @Test
    void schedule() {
        var schedule = new Schedule(2, 4, 10);
        double[] rates = new double[11];
        for (int t = 0; t < rates.length; t++) {
            rates[t] = schedule.rate(t);
        }
        assertArrayEquals(new double[] {0, 0.5, 1, 1.5, 2, 2 * 5 / 6.0, 2 * 4 / 6.0, 1, 2 * 2 / 6.0, 2 / 6.0, 0}, rates, 1e-12);
        assertEquals(3, new Schedule(3, 0, 1).rate(0));
        assertEquals(new Schedule(1, 2, 29), Schedule.ofFraction(1, 0.1, 29));
        assertThrows(IllegalArgumentException.class, () -> new Schedule(1, 11, 10));
        assertThrows(IllegalArgumentException.class, () -> new Schedule(Double.NaN, 0, 10));
    }
}
