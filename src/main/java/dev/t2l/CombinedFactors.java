package dev.t2l;

import dev.t2l.tensor.LoraWeights;
import dev.t2l.tensor.LoraWeights.Pair;
import dev.t2l.tensor.LoraWeights.Site;
import dev.t2l.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/** Several adapters' matrices as one adapter's. */
final class CombinedFactors {
    /** @param adapter on the host */
    record Weighted(LoraWeights adapter, float weight) {
    }

    private CombinedFactors() {
    }

    /** {@code A = [A_1; A_2; ...]}, {@code B = [w_1 s_1 B_1, w_2 s_2 B_2, ...]}, scale 1; where one does not act, it is left out. */
    static LoraWeights concatenated(List<Weighted> adapters) {
        var sites = new TreeSet<Site>();
        adapters.forEach(one -> sites.addAll(one.adapter().pairs().keySet()));
        Map<Site, Pair> pairs = new TreeMap<>();
        for (Site site : sites) {
            pairs.put(site, concatenated(site, adapters.stream().filter(one -> one.adapter().pairs().containsKey(site)).toList()));
        }
        return new LoraWeights(pairs);
    }

    private static Pair concatenated(Site site, List<Weighted> adapters) {
        Pair first = adapters.getFirst().adapter().pairs().get(site);
        int in = Math.toIntExact(first.in());
        int out = Math.toIntExact(first.out());
        int rank = adapters.stream().mapToInt(one -> one.adapter().pairs().get(site).rank()).sum();
        float[] a = new float[Math.multiplyExact(rank, in)];
        float[] b = new float[Math.multiplyExact(rank, out)];
        int from = 0;
        for (Weighted one : adapters) {
            Pair pair = one.adapter().pairs().get(site);
            if (pair.in() != in || pair.out() != out) {
                throw differ(site, first, pair);
            }
            System.arraycopy(pair.a().toFloats(), 0, a, from * in, pair.rank() * in);
            float[] columns = pair.b().toFloats();
            double factor = (double) one.weight() * pair.scale();
            for (int o = 0; o < out; o++) {
                for (int k = 0; k < pair.rank(); k++) {
                    b[o * rank + from + k] = (float) (factor * columns[o * pair.rank() + k]);
                }
            }
            from += pair.rank();
        }
        return new Pair(Tensor.ofFloats(a, rank, in), Tensor.ofFloats(b, out, rank), 1);
    }

    /** {@code A = sum of w_i A_i}, {@code B = sum of w_i B_i}, with the adapters' scale. */
    static LoraWeights elementwise(List<Weighted> adapters) {
        Map<Site, Pair> first = adapters.getFirst().adapter().pairs();
        for (Weighted one : adapters) {
            if (!one.adapter().pairs().keySet().equals(first.keySet())) {
                throw new IllegalArgumentException("adapters that are combined element by element must act at the same places, got " + first.size() + " and "
                        + one.adapter().pairs().size() + " of them; HINT: concatenated() takes any");
            }
        }
        Map<Site, Pair> pairs = new TreeMap<>();
        for (Site site : first.keySet()) {
            List<Pair> all = new ArrayList<>();
            adapters.forEach(one -> all.add(one.adapter().pairs().get(site)));
            all.stream().filter(pair -> !alike(all.getFirst(), pair)).findFirst().ifPresent(pair -> {
                throw differ(site, all.getFirst(), pair);
            });
            pairs.put(site, new Pair(sum(adapters, all.stream().map(Pair::a).toList()), sum(adapters, all.stream().map(Pair::b).toList()), all.getFirst().scale()));
        }
        return new LoraWeights(pairs);
    }

    private static boolean alike(Pair a, Pair b) {
        return a.rank() == b.rank() && a.scale() == b.scale() && a.in() == b.in() && a.out() == b.out();
    }

    private static Tensor sum(List<Weighted> adapters, List<Tensor> matrices) {
        double[] sum = new double[Math.toIntExact(matrices.getFirst().elements())];
        for (int m = 0; m < matrices.size(); m++) {
            float[] values = matrices.get(m).toFloats();
            for (int i = 0; i < sum.length; i++) {
                sum[i] += (double) adapters.get(m).weight() * values[i];
            }
        }
        float[] rounded = new float[sum.length];
        for (int i = 0; i < sum.length; i++) {
            rounded[i] = (float) sum[i];
        }
        return Tensor.ofFloats(rounded, matrices.getFirst().shape());
    }

    private static IllegalArgumentException differ(Site site, Pair a, Pair b) {
        return new IllegalArgumentException("at " + site + " one adapter is " + described(a) + ", another " + described(b));
    }

    private static String described(Pair pair) {
        return pair.in() + " to " + pair.out() + " of rank " + pair.rank() + " and scale " + pair.scale();
    }
}
