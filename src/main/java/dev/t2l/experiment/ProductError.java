package dev.t2l.experiment;

import dev.t2l.backend.Backend;
import dev.t2l.io.PeftAdapter;
import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Map;

/**
 * How far what an adapter adds to the weights, {@code dW = s B A}, is from what another adds: {@code |dW - dW*| / |dW*|}, Frobenius norms over all modules and
 * layers together. Products are never made: {@code <B A, D C> = sum (B^T D) * (A C^T)}, r by r numbers.
 */
final class ProductError {
    private ProductError() {
    }

    /**
     * @param generated on the backend
     * @param wanted    on the host, at the same sites
     */
    static double relative(Backend backend, LoraWeights generated, PeftAdapter wanted) {
        try (Arena arena = Arena.ofConfined()) {
            return relative(generated.moved(matrix -> backend.host(arena, matrix)), wanted.weights());
        }
    }

    /** Both on the host, at the same sites. */
    static double relative(LoraWeights given, LoraWeights wanted) {
        Map<Site, Pair> own = given.pairs();
        Map<Site, Pair> target = wanted.pairs();
        if (!own.keySet().equals(target.keySet())) {
            throw new IllegalArgumentException("adapters at other sites: " + own.size() + " and " + target.size());
        }
        double gap = 0;
        double length = 0;
        for (Site site : own.keySet()) {
            double square = product(target.get(site), target.get(site));
            gap += product(own.get(site), own.get(site)) - 2 * product(own.get(site), target.get(site)) + square;
            length += square;
        }
        return Math.sqrt(Math.max(0, gap) / length);
    }

    /** The inner product of two products. */
    private static double product(Pair left, Pair right) {
        float[] a = left.a().toFloats();
        float[] b = columns(left.b());
        float[] c = right.a().toFloats();
        float[] d = columns(right.b());
        int in = Math.toIntExact(left.in());
        int out = Math.toIntExact(left.out());
        double sum = 0;
        for (int i = 0; i < left.rank(); i++) {
            for (int k = 0; k < right.rank(); k++) {
                sum += dot(b, i * out, d, k * out, out) * dot(a, i * in, c, k * in, in);
            }
        }
        return sum * left.scale() * right.scale();
    }

    /** B, column by column: [r][out]. */
    private static float[] columns(Tensor b) {
        float[] rows = b.toFloats();
        int out = Math.toIntExact(b.dim(0));
        int r = Math.toIntExact(b.dim(1));
        float[] columns = new float[rows.length];
        for (int o = 0; o < out; o++) {
            for (int i = 0; i < r; i++) {
                columns[i * out + o] = rows[o * r + i];
            }
        }
        return columns;
    }

    private static double dot(float[] x, int from, float[] y, int fromY, int n) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            sum += (double) x[from + i] * y[fromY + i];
        }
        return sum;
    }
}
