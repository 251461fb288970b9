package dev.t2l.eval;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.t2l.eval.Bootstrap.Interval;
import org.junit.jupiter.api.Test;

class BootstrapTest {
    @Test
    void quantilesLieBetweenTheNearestValues() {
        double[] sorted = {0, 10, 20, 30};
        assertEquals(0, Bootstrap.quantile(sorted, 0));
        assertEquals(30, Bootstrap.quantile(sorted, 1));
        assertEquals(15, Bootstrap.quantile(sorted, 0.5));
        assertEquals(0.75, Bootstrap.quantile(sorted, 0.025), 1e-12);
        assertEquals(7, Bootstrap.quantile(new double[] {7}, 0.3));
    }

    @Test
    void equalValuesHaveNoInterval() {
        assertEquals(new Interval(0.25, 0.25), Bootstrap.ofMean(new double[] {0.25, 0.25, 0.25}, 1));
    }

    /** The mean of 20 draws from {0, 1} is Binomial(20, 1/2) / 20: P(at most 5) = 0.0207, P(at most 6) = 0.0577, so the 2.5 % quantile is 6 / 20. */
    @Test
    void halfOnesAreBinomial() {
        double[] values = new double[20];
        for (int i = 0; i < 10; i++) {
            values[i] = 1;
        }
        assertEquals(new Interval(0.3, 0.7), Bootstrap.ofMean(values, 3));
    }

    @Test
    void theSeedDecides() {
        double[] values = {0.1, 0.5, 0.7, 0.153, 0.92, 0.333, 0.017, 0.6214, 0.2718};
        assertEquals(Bootstrap.ofMean(values, 5), Bootstrap.ofMean(values, 5));
        assertNotEquals(Bootstrap.ofMean(values, 5), Bootstrap.ofMean(values, 6));
    }
}
