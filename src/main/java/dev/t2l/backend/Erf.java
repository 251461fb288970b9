package dev.t2l.backend;

/** The error function in double precision. */
final class Erf {
    private Erf() {
    }

    /**
     * {@code 1 + erf(x)}. Near 0 the series {@code erf x = 2/sqrt(pi) e^(-x^2) sum 2^n x^(2n+1) / (2n+1)!!}, farther out the
     * continued fraction {@code erfc x = e^(-x^2)/sqrt(pi) / (x + 1/2 / (x + 2/2 / (x + 3/2 / ...)))}
     * (Abramowitz and Stegun 7.1.6, 7.1.14).
     */
    static double onePlusErf(double x) {
        double z = Math.abs(x);
        if (z < 2.5) {
            double term = z;
            double sum = z;
            for (int n = 1; term > sum * 1e-17; n++) {
                term *= 2 * z * z / (2 * n + 1);
                sum += term;
            }
            double erf = 2 / Math.sqrt(Math.PI) * Math.exp(-z * z) * sum;
            return x >= 0 ? 1 + erf : 1 - erf;
        }
        double fraction = z;
        for (int n = 60; n > 0; n--) {
            fraction = z + n / 2.0 / fraction;
        }
        double erfc = Math.exp(-z * z) / Math.sqrt(Math.PI) / fraction;
        return x >= 0 ? 2 - erfc : erfc;
    }
}
