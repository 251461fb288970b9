package dev.t2l.ops;

import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * Eigenvalues and eigenvectors of a small symmetric matrix, by Jacobi's rotations.
 *
 * @param values  falling
 * @param vectors vectors[i] of length 1 belongs to values[i]
 */
public record SymmetricEigen(double[] values, double[][] vectors) {
    private static final int SWEEPS = 60;

    /** @param matrix symmetric [n][n]; left alone */
    public static SymmetricEigen of(double[][] matrix) {
        int n = matrix.length;
        double[][] m = new double[n][];
        double[][] v = new double[n][n]; // rows are the vectors
        for (int i = 0; i < n; i++) {
            m[i] = matrix[i].clone();
            v[i][i] = 1;
        }
        for (int sweep = 0; sweep < SWEEPS && rotateAll(m, v); sweep++) {
        }
        int[] order = IntStream.range(0, n).boxed().sorted(Comparator.comparingDouble(i -> -m[i][i])).mapToInt(i -> i).toArray();
        double[] values = new double[n];
        double[][] vectors = new double[n][];
        for (int i = 0; i < n; i++) {
            values[i] = m[order[i]][order[i]];
            vectors[i] = v[order[i]];
        }
        return new SymmetricEigen(values, vectors);
    }

    /** A rotation for each pair of rows; whether there was any that changed something. */
    private static boolean rotateAll(double[][] m, double[][] v) {
        boolean any = false;
        for (int p = 0; p < m.length; p++) {
            for (int q = p + 1; q < m.length; q++) {
                if (Math.abs(m[p][q]) > 1e-16 * Math.sqrt(Math.abs(m[p][p] * m[q][q])) && m[p][q] != 0) {
                    rotate(m, v, p, q);
                    any = true;
                }
            }
        }
        return any;
    }

    /** Makes m[p][q] zero (Golub and Van Loan, Matrix Computations, section 8.5). */
    private static void rotate(double[][] m, double[][] v, int p, int q) {
        double theta = (m[q][q] - m[p][p]) / (2 * m[p][q]);
        double t = Math.copySign(1, theta) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        double c = 1 / Math.sqrt(t * t + 1);
        double s = t * c;
        for (int k = 0; k < m.length; k++) {
            double kp = m[k][p];
            double kq = m[k][q];
            m[k][p] = c * kp - s * kq;
            m[k][q] = s * kp + c * kq;
        }
        for (int k = 0; k < m.length; k++) {
            double pk = m[p][k];
            double qk = m[q][k];
            m[p][k] = c * pk - s * qk;
            m[q][k] = s * pk + c * qk;
            double vp = v[p][k];
            double vq = v[q][k];
            v[p][k] = c * vp - s * vq;
            v[q][k] = s * vp + c * vq;
        }
    }
}
