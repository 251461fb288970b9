package dev.t2l.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.tensor.Tensor;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A sequence's choices: its parameters, and random numbers that its seed alone decides. */
class SamplerTest {
    private final Tensor choices = Tensor.ofFloats(new float[10], 2, 5);

    private float draw(Sampler sampler) {
        sampler.next(choices, 1);
        return choices.getFloat(9);
    }

    @Test
    void writesItsParametersToItsRow() {
        new Sampler(0.5f, 40, 0.9f, 0.01f, 1).next(choices, 1);
        for (int i = 0; i < 5; i++) {
            assertEquals(0, choices.getFloat(i));
        }
        assertEquals(0.5f, choices.getFloat(5));
        assertEquals(40, choices.getFloat(6));
        assertEquals(0.9f, choices.getFloat(7));
        assertEquals(0.01f, choices.getFloat(8));
    }

    @Test
    void greedyDrawsNothing() {
        Sampler.greedy().next(choices, 0);
        assertArrayEquals(new float[] {0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, choices.toFloats());
    }

    @Test
    void drawsAreUniformAndFollowFromTheSeed() {
        Sampler a = new Sampler(1, 0, 1, 0, 42);
        Sampler b = new Sampler(1, 0, 1, 0, 42);
        Set<Float> different = new HashSet<>();
        double sum = 0;
        int n = 40_000;
        for (int i = 0; i < n; i++) {
            float u = draw(a);
            assertEquals(u, draw(b));
            assertTrue(u >= 0 && u < 1, "u " + u);
            different.add(u);
            sum += u;
        }
        assertEquals(0.5, sum / n, 0.01);
        assertTrue(different.size() > 0.99 * n, different.size() + " different numbers of " + n);
        assertTrue(draw(new Sampler(1, 0, 1, 0, 43)) != draw(new Sampler(1, 0, 1, 0, 42)));
    }
}
