package dev.t2l.ops;

import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.Tensor;

/**
 * The direction of the input that an adapter changes most: the first right singular vector of {@code B A} (Ostapenko et al. 2024,
 * arXiv 2405.11157, section 4.2), of length 1, with either sign. Computed from the small matrices {@code A A^T} and {@code B^T B} in double:
 * with {@code A A^T = U D U^T} the right singular vectors are {@code A^T U D^-1/2 w}, w the eigenvectors of
 * {@code D^1/2 U^T B^T B U D^1/2}.
 */
public final class ArrowPrototype {
    /** Directions of A weaker than this, squared and as a share of the strongest, are rounding. */
    private static final double NOTHING = 1e-14;

    private ArrowPrototype() {
    }

    /**
     * @param pair on the host
     * @return f32 [in]; zeros if the pair adds nothing
     */
    public static Tensor of(Pair pair) {
        int rank = pair.rank();
        int in = Math.toIntExact(pair.in());
        float[] a = pair.a().toFloats();
        SymmetricEigen inner = SymmetricEigen.of(rowProducts(a, rank, in));
        double[] root = new double[rank];
        for (int i = 0; i < rank; i++) {
            root[i] = inner.values()[i] > NOTHING * inner.values()[0] ? Math.sqrt(inner.values()[i]) : 0;
        }
        double[] w = SymmetricEigen.of(outer(columnProducts(pair.b().toFloats(), rank), inner.vectors(), root)).vectors()[0];
        double[] mixture = new double[rank]; // U D^-1/2 w
        for (int i = 0; i < rank; i++) {
            for (int k = 0; k < rank && root[i] > 0; k++) {
                mixture[k] += inner.vectors()[i][k] * w[i] / root[i];
            }
        }
        return unit(a, mixture, in, isZero(pair.b()));
    }

    private static boolean isZero(Tensor b) {
        for (float value : b.toFloats()) {
            if (value != 0) {
                return false;
            }
        }
        return true;
    }

    /** {@code A A^T}. */
    private static double[][] rowProducts(float[] a, int rank, int in) {
        double[][] products = new double[rank][rank];
        for (int i = 0; i < rank; i++) {
            for (int k = 0; k <= i; k++) {
                double sum = 0;
                for (int j = 0; j < in; j++) {
                    sum += (double) a[i * in + j] * a[k * in + j];
                }
                products[i][k] = sum;
                products[k][i] = sum;
            }
        }
        return products;
    }

    /** {@code B^T B}. */
    private static double[][] columnProducts(float[] b, int rank) {
        double[][] products = new double[rank][rank];
        for (int o = 0; o < b.length; o += rank) {
            for (int i = 0; i < rank; i++) {
                for (int k = 0; k < rank; k++) {
                    products[i][k] += (double) b[o + i] * b[o + k];
                }
            }
        }
        return products;
    }

    /** {@code D^1/2 U^T C U D^1/2}; row i of vectors is U's i-th column. */
    private static double[][] outer(double[][] c, double[][] vectors, double[] root) {
        int n = root.length;
        double[][] result = new double[n][n];
        for (int i = 0; i < n; i++) {
            double[] product = new double[n]; // C u_i
            for (int k = 0; k < n; k++) {
                for (int l = 0; l < n; l++) {
                    product[k] += c[k][l] * vectors[i][l];
                }
            }
            for (int j = 0; j < n; j++) {
                double sum = 0;
                for (int k = 0; k < n; k++) {
                    sum += vectors[j][k] * product[k];
                }
                result[j][i] = root[j] * sum * root[i];
            }
        }
        return result;
    }

    private static Tensor unit(float[] a, double[] mixture, int in, boolean nothing) {
        double[] v = new double[in];
        double squares = 0;
        for (int j = 0; j < in; j++) {
            for (int k = 0; k < mixture.length; k++) {
                v[j] += mixture[k] * a[k * in + j];
            }
            squares += v[j] * v[j];
        }
        float[] prototype = new float[in];
        for (int j = 0; j < in && !nothing && squares > 0; j++) {
            prototype[j] = (float) (v[j] / Math.sqrt(squares));
        }
        return Tensor.ofFloats(prototype, in);
    }
}
