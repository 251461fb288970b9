package dev.t2l.experiment;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * How well labels part points (Rousseeuw 1987): of each point (b - a) / max(a, b), a being its mean distance from the others of its label and b the least mean
 * distance from those of another label; 0 for a point alone in its label. From -1 to 1; above 0, points are nearer to their own.
 */
final class Silhouette {
    private Silhouette() {
    }

    /**
     * Of each point.
     *
     * @param distances symmetric
     */
    static double[] ofEach(double[][] distances, List<String> labels) {
        Map<String, int[]> members = new TreeMap<>();
        labels.stream().distinct().forEach(label -> members.put(label, IntStream.range(0, labels.size()).filter(i -> labels.get(i).equals(label)).toArray()));
        if (members.size() < 2) {
            throw new IllegalArgumentException("silhouettes want two labels at least, found " + members.keySet());
        }
        return IntStream.range(0, distances.length).mapToDouble(i -> {
            double own = 0;
            double nearest = Double.POSITIVE_INFINITY;
            for (Map.Entry<String, int[]> e : members.entrySet()) {
                double sum = IntStream.of(e.getValue()).mapToDouble(j -> distances[i][j]).sum();
                if (!e.getKey().equals(labels.get(i))) {
                    nearest = Math.min(nearest, sum / e.getValue().length);
                } else if (e.getValue().length == 1) {
                    return 0;
                } else {
                    own = (sum - distances[i][i]) / (e.getValue().length - 1);
                }
            }
            double larger = Math.max(own, nearest);
            return larger == 0 ? 0 : (nearest - own) / larger;
        }).toArray();
    }

    /** The mean over points. */
    static double mean(double[][] distances, List<String> labels) {
        return IntStream.range(0, labels.size()).boxed().collect(Collectors.averagingDouble(box(ofEach(distances, labels))::apply));
    }

    /** The mean over each label's points, by label. */
    static Map<String, Double> byLabel(double[][] distances, List<String> labels) {
        return IntStream.range(0, labels.size()).boxed()
                .collect(Collectors.groupingBy(labels::get, TreeMap::new, Collectors.averagingDouble(box(ofEach(distances, labels))::apply)));
    }

    private static Function<Integer, Double> box(double[] values) {
        return i -> values[i];
    }
}
