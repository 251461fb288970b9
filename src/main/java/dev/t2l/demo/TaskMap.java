package dev.t2l.demo;

import dev.t2l.ops.SymmetricEigen;
import java.util.ArrayList;
import java.util.List;

/** Tasks on a plane: their mean embeddings along the two directions in which these differ most (principal components). */
final class TaskMap {
    private static final int AXES = 2;

    private final List<Point> points;
    private final double[] centre;
    private final double[][] axes;

    /** Where a task lies. */
    record Point(String task, double x, double y) {
    }

    /**
     * @param tasks   names
     * @param vectors a mean embedding of each
     */
    TaskMap(List<String> tasks, double[][] vectors) {
        int n = vectors.length;
        int width = vectors[0].length;
        centre = new double[width];
        for (double[] v : vectors) {
            for (int k = 0; k < width; k++) {
                centre[k] += v[k] / n;
            }
        }
        double[][] centred = new double[n][];
        for (int i = 0; i < n; i++) {
            centred[i] = minusCentre(vectors[i]);
        }
        double[][] products = new double[n][n];
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n; j++) {
                products[i][j] = dot(centred[i], centred[j]);
            }
        }
        SymmetricEigen eigen = SymmetricEigen.of(products);
        axes = new double[AXES][width];
        for (int axis = 0; axis < Math.min(AXES, n); axis++) {
            double length = Math.sqrt(Math.max(eigen.values()[axis], Double.MIN_NORMAL));
            for (int i = 0; i < n; i++) {
                for (int k = 0; k < width; k++) {
                    axes[axis][k] += eigen.vectors()[axis][i] * centred[i][k] / length;
                }
            }
        }
        points = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            points.add(new Point(tasks.get(i), dot(axes[0], centred[i]), dot(axes[1], centred[i])));
        }
    }

    List<Point> points() {
        return List.copyOf(points);
    }

    /** Where an embedding of length 1 lies. */
    Point place(String name, double[] vector) {
        double[] moved = minusCentre(vector);
        return new Point(name, dot(axes[0], moved), dot(axes[1], moved));
    }

    private double[] minusCentre(double[] vector) {
        double[] moved = vector.clone();
        for (int k = 0; k < moved.length; k++) {
            moved[k] -= centre[k];
        }
        return moved;
    }

    private static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int k = 0; k < a.length; k++) {
            sum += a[k] * b[k];
        }
        return sum;
    }
}
