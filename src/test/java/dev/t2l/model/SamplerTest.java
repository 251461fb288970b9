package dev.t2l.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SamplerTest {
    private static final int DRAWS = 40_000;

    private static MemorySegment logits(double... probabilities) {
        MemorySegment segment = Arena.ofAuto().allocate(ValueLayout.JAVA_FLOAT, probabilities.length);
        for (int i = 0; i < probabilities.length; i++) {
            segment.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) Math.log(probabilities[i]));
        }
        return segment;
    }

    private static double[] shares(Sampler sampler, MemorySegment logits, int n) {
        double[] counts = new double[n];
        for (int i = 0; i < DRAWS; i++) {
            counts[sampler.sample(logits, 0, n)] += 1.0 / DRAWS;
        }
        return counts;
    }

    private static void assertShares(double[] want, double[] got) {
        for (int i = 0; i < want.length; i++) {
            assertEquals(want[i], got[i], want[i] == 0 ? 0 : 0.01, "token " + i);
        }
    }

    @Test
    void greedyTakesTheBestAndOfEqualsTheFirst() {
        assertEquals(1, new Sampler(4, 0, 0, 1, 0, 1).sample(logits(0.1, 0.4, 0.4, 0.1), 0, 4));
    }

    @Test
    void temperatureShapesTheDistribution() {
        MemorySegment l = logits(0.5, 0.3, 0.2);
        assertShares(new double[] {0.5, 0.3, 0.2}, shares(new Sampler(3, 1, 0, 1, 0, 1), l, 3));
        double sum = 0.25 + 0.09 + 0.04;
        assertShares(new double[] {0.25 / sum, 0.09 / sum, 0.04 / sum}, shares(new Sampler(3, 0.5f, 0, 1, 0, 1), l, 3));
    }

    @Test
    void topKKeepsTheKBest() {
        assertShares(new double[] {0, 0.5 / 0.8, 0, 0.3 / 0.8}, shares(new Sampler(4, 1, 2, 1, 0, 1), logits(0.1, 0.5, 0.1, 0.3), 4));
        assertShares(new double[] {0.1, 0.5, 0.1, 0.3}, shares(new Sampler(4, 1, 99, 1, 0, 1), logits(0.1, 0.5, 0.1, 0.3), 4));
    }

    @Test
    void topPKeepsTheFewestThatReachP() {
        assertShares(new double[] {0, 0.5 / 0.8, 0, 0.3 / 0.8}, shares(new Sampler(4, 1, 0, 0.75f, 0, 1), logits(0.1, 0.5, 0.1, 0.3), 4));
        assertShares(new double[] {0, 1, 0, 0}, shares(new Sampler(4, 1, 0, 0.01f, 0, 1), logits(0.1, 0.5, 0.1, 0.3), 4));
    }

    @Test
    void topPLooksAtWhatTopKLeaves() {
        // of 0.5 + 0.3, the first token alone has 62 %
        assertShares(new double[] {0, 1, 0, 0}, shares(new Sampler(4, 1, 2, 0.6f, 0, 1), logits(0.1, 0.5, 0.1, 0.3), 4));
    }

    @Test
    void minPDropsWhatIsUnlikelyBesideTheBest() {
        assertShares(new double[] {0, 0.5 / 0.8, 0, 0.3 / 0.8}, shares(new Sampler(4, 1, 0, 1, 0.5f, 1), logits(0.1, 0.5, 0.1, 0.3), 4));
    }

    @Test
    void theSameSeedGivesTheSameDraws() {
        MemorySegment l = logits(IntStream.range(0, 1000).mapToDouble(i -> 1e-3).toArray());
        Sampler a = new Sampler(1000, 1, 50, 0.9f, 0.01f, 42);
        Sampler b = new Sampler(1000, 1, 50, 0.9f, 0.01f, 42);
        for (int i = 0; i < 100; i++) {
            assertEquals(a.sample(l, 0, 1000), b.sample(l, 0, 1000));
        }
    }

    @Test
    void brokenLogitsAreRefused() {
        assertThrows(ArithmeticException.class, () -> new Sampler(2, 0, 0, 1, 0, 1).sample(logits(Double.NaN, 0.5), 0, 2));
        assertThrows(ArithmeticException.class, () -> new Sampler(2, 0, 0, 1, 0, 1).sample(logits(0, 0), 0, 2));
    }
}
