package dev.t2l.demo;

import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/** How much an adapter changes each matrix of its base: the Frobenius norm of {@code dW = scale * B A}. */
final class AdapterNorms {
    private AdapterNorms() {
    }

    /**
     * Of one matrix.
     *
     * @param module as PEFT names it: q_proj, v_proj, ...
     */
    record Norm(int layer, String module, double norm) {
    }

    /** @param weights on the host */
    static List<Norm> of(LoraWeights weights) {
        List<Norm> norms = new ArrayList<>();
        weights.pairs().forEach((site, pair) -> norms.add(new Norm(site.layer(), site.projection().peftName(), norm(pair))));
        return norms;
    }

    /** {@code |B A|^2 = trace((B^T B)(A A^T))}: no matrix of the base's size is made. */
    private static double norm(LoraWeights.Pair pair) {
        int r = pair.rank();
        float[] a = pair.a().toFloats(); // [r, in]
        float[] b = pair.b().toFloats(); // [out, r]
        double sum = 0;
        for (int i = 0; i < r; i++) {
            for (int j = 0; j < r; j++) {
                sum += rows(a, i, j, pair.a()) * columns(b, i, j, r);
            }
        }
        return Math.abs(pair.scale()) * Math.sqrt(Math.max(0, sum));
    }

    private static double rows(float[] a, int i, int j, Tensor shape) {
        int width = (int) shape.cols();
        double sum = 0;
        for (int k = 0; k < width; k++) {
            sum += (double) a[i * width + k] * a[j * width + k];
        }
        return sum;
    }

    private static double columns(float[] b, int i, int j, int r) {
        double sum = 0;
        for (int k = 0; k < b.length; k += r) {
            sum += (double) b[k + i] * b[k + j];
        }
        return sum;
    }
}
