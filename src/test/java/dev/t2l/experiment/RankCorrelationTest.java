package dev.t2l.experiment;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RankCorrelationTest {
    private static final double CLOSE = 1e-12;

    @Test
    void equalValuesHaveTheMeanOfTheirRanks() {
        assertArrayEquals(new double[] {1, 3.5, 3.5, 2, 5}, RankCorrelation.ranks(new double[] {-1, 4, 4, 0, 9}), CLOSE);
    }

    /** Ranks 1 2 3 4 5 and 2 1 4 3 5: 1 - 6 * 4 / (5 * 24). */
    @Test
    void orderAloneCounts() {
        assertEquals(0.8, RankCorrelation.spearman(new double[] {1, 2, 3, 4, 5}, new double[] {20, 10, 4000, 300, 5000}), CLOSE);
        assertEquals(-1, RankCorrelation.spearman(new double[] {1, 2, 3}, new double[] {0, -1, -100}), CLOSE);
        assertTrue(Double.isNaN(RankCorrelation.spearman(new double[] {1, 2, 3}, new double[] {7, 7, 7})), "what never varies");
    }

    @Test
    void intervalsHoldTheValueAndAreFoundAgain() {
        var random = new SplittableRandom(2);
        double[] x = random.doubles(60).toArray();
        double[] y = IntStream.range(0, 60).mapToDouble(i -> x[i] + random.nextDouble()).toArray();
        int[] alone = IntStream.range(0, 60).toArray();
        RankCorrelation found = RankCorrelation.ofPoints(x, y, alone, 9);
        assertTrue(found.low() < found.rho() && found.rho() < found.high(), found::toString);
        assertTrue(found.low() > 0, "it is there: " + found);
        assertEquals(found, RankCorrelation.ofPoints(x, y, alone, 9));
        assertEquals(60, found.points());
    }

    /** Sixty points that are three, twenty times each, are evidence of three. */
    @Test
    void pointsOfAGroupAreDrawnTogether() {
        double[] x = IntStream.range(0, 60).mapToDouble(i -> new double[] {1, 3, 2}[i % 3]).toArray();
        double[] y = IntStream.range(0, 60).mapToDouble(i -> i % 3).toArray();
        RankCorrelation alone = RankCorrelation.ofPoints(x, y, IntStream.range(0, 60).toArray(), 1);
        RankCorrelation together = RankCorrelation.ofPoints(x, y, IntStream.range(0, 60).map(i -> i % 3).toArray(), 1);
        assertEquals(0.5, alone.rho(), 0.001);
        assertEquals(alone.rho(), together.rho(), CLOSE);
        assertTrue(alone.high() - alone.low() < 0.6, alone::toString);
        assertEquals(-1, together.low(), CLOSE);
        assertEquals(1, together.high(), CLOSE);
    }

    @Test
    void pairsOfThings() {
        double[] at = {0, 1, 5, 7, 20};
        double[][] near = IntStream.range(0, 5).mapToObj(i -> IntStream.range(0, 5).mapToDouble(j -> -Math.abs(at[i] - at[j])).toArray()).toArray(double[][]::new);
        double[][] nearer = IntStream.range(0, 5).mapToObj(i -> IntStream.range(0, 5).mapToDouble(j -> Math.exp(-Math.abs(at[i] - at[j]))).toArray()).toArray(double[][]::new);
        RankCorrelation found = RankCorrelation.ofPairs(near, nearer, 4);
        assertEquals(10, found.points());
        assertEquals(1, found.rho(), CLOSE);
        assertEquals(1, found.low(), CLOSE);
    }
}
