package dev.t2l.demo;

import dev.t2l.io.FormatException;
import dev.t2l.io.Gguf;
import dev.t2l.io.GgufWriter;
import dev.t2l.io.SafeTensors;
import dev.t2l.tensor.DType;
import dev.t2l.tensor.Tensor;
import dev.t2l.train.Reconstruction;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * How near a description is to what a hypernetwork was trained on. The likeness of a description to a task is the largest cosine between
 * its embedding and those of the task's training descriptions.
 */
public final class TaskNeighbours {
    /** Where {@link #writeSmall} writes. */
    public static final String SMALL_FILE = "task_embeddings.gguf";

    private final List<String> tasks;
    private final int[] taskOf;
    private final float[][] vectors;
    private final double loneliest;
    private final TaskMap map;

    /**
     * A training task near a description.
     *
     * @param cosine to the nearest of its descriptions
     */
    public record Neighbour(String task, double cosine) {
    }

    private TaskNeighbours(List<String> tasks, int[] taskOf, float[][] vectors) {
        this.tasks = tasks;
        this.taskOf = taskOf;
        this.vectors = vectors;
        this.loneliest = loneliestTask();
        this.map = mapped();
    }

    /**
     * Those of a checkpoint's training descriptions, f32 [descriptions, width] by name of task in {@link Reconstruction#EMBEDDINGS} or smaller
     * in a file of {@link #writeSmall}; empty if it comes with neither.
     */
    static Optional<TaskNeighbours> of(Path checkpoint) {
        Path file = checkpoint.resolve(Reconstruction.EMBEDDINGS);
        if (Files.isRegularFile(file)) {
            try (SafeTensors tensors = SafeTensors.open(file)) {
                return Optional.of(of(file, tensors.weights().tensors()));
            }
        }
        Path small = checkpoint.resolve(SMALL_FILE);
        if (Files.isRegularFile(small)) {
            try (Gguf tensors = Gguf.open(small)) {
                return Optional.of(of(small, tensors.weights().tensors()));
            }
        }
        return Optional.empty();
    }

    /** Writes embeddings [descriptions, width] of tasks beside a checkpoint in a quarter of the size of f32: as Q8_0 in a GGUF file. */
    public static void writeSmall(Path checkpoint, Map<String, Tensor> byTask) {
        var writer = new GgufWriter(Map.of("general.architecture", "text-to-lora", "general.type", "embeddings"));
        byTask.forEach((task, rows) -> writer.add(task, rows.cols() % DType.Q8_0.blockSize() == 0 ? DType.Q8_0 : DType.F16, rows));
        writer.write(checkpoint.resolve(SMALL_FILE));
    }

    private static TaskNeighbours of(Path file, Map<String, Tensor> byTask) {
        List<float[]> vectors = new ArrayList<>();
        List<Integer> taskOf = new ArrayList<>();
        List<String> tasks = List.copyOf(byTask.keySet());
        for (int t = 0; t < tasks.size(); t++) {
            Tensor rows = byTask.get(tasks.get(t));
            if (rows.rank() != 2 || !vectors.isEmpty() && rows.cols() != vectors.getFirst().length) {
                throw new FormatException(file, "tensor '" + tasks.get(t) + "'", "wanted [descriptions, width] of one width for all tasks, found " + rows);
            }
            for (int r = 0; r < rows.rows(); r++) {
                vectors.add(unit(rows.slice(r, r + 1L).toFloats()));
                taskOf.add(t);
            }
        }
        return new TaskNeighbours(tasks, taskOf.stream().mapToInt(Integer::intValue).toArray(), vectors.toArray(float[][]::new));
    }

    private static float[] unit(float[] vector) {
        double length = 0;
        for (float v : vector) {
            length += (double) v * v;
        }
        float[] unit = vector.clone();
        for (int i = 0; i < unit.length; i++) {
            unit[i] /= (float) Math.sqrt(length);
        }
        return unit;
    }

    /** The tasks on a plane. */
    TaskMap map() {
        return map;
    }

    /** Where an embedding lies on it. */
    TaskMap.Point place(String name, float[] embedding) {
        return map.place(name, doubles(unit(embedding)));
    }

    private TaskMap mapped() {
        double[][] means = new double[tasks.size()][vectors[0].length];
        int[] counts = new int[tasks.size()];
        for (int i = 0; i < vectors.length; i++) {
            counts[taskOf[i]]++;
            for (int k = 0; k < vectors[i].length; k++) {
                means[taskOf[i]][k] += vectors[i][k];
            }
        }
        for (int t = 0; t < means.length; t++) {
            for (int k = 0; k < means[t].length; k++) {
                means[t][k] /= counts[t];
            }
        }
        return new TaskMap(tasks, means);
    }

    private static double[] doubles(float[] values) {
        double[] wide = new double[values.length];
        for (int k = 0; k < wide.length; k++) {
            wide[k] = values[k];
        }
        return wide;
    }

    /** The training task that a description is most like. */
    public Neighbour nearest(float[] embedding) {
        float[] likeness = likeness(unit(embedding), -1);
        int best = 0;
        for (int t = 1; t < likeness.length; t++) {
            best = likeness[t] > likeness[best] ? t : best;
        }
        return new Neighbour(tasks.get(best), likeness[best]);
    }

    /**
     * How like the others the training task is that is least so: of each task, its descriptions' likeness to the other task that each is
     * nearest to, as a mean over its descriptions; of these means, the smallest. A description whose nearest task is less like it lies
     * farther from all training tasks than they lie from each other.
     */
    public double loneliest() {
        return loneliest;
    }

    private double loneliestTask() {
        double[] sums = new double[tasks.size()];
        int[] counts = new int[tasks.size()];
        double[] nearest = new double[vectors.length];
        Arrays.parallelSetAll(nearest, i -> max(likeness(vectors[i], taskOf[i])));
        for (int i = 0; i < vectors.length; i++) {
            sums[taskOf[i]] += nearest[i];
            counts[taskOf[i]]++;
        }
        double least = 1;
        for (int t = 0; t < sums.length; t++) {
            least = Math.min(least, sums[t] / counts[t]);
        }
        return least;
    }

    /** To each task, but -1 to the one at {@code left}. */
    private float[] likeness(float[] unit, int left) {
        float[] best = new float[tasks.size()];
        Arrays.fill(best, -1);
        for (int i = 0; i < vectors.length; i++) {
            if (taskOf[i] != left) {
                best[taskOf[i]] = Math.max(best[taskOf[i]], dot(unit, vectors[i]));
            }
        }
        return best;
    }

    private static float dot(float[] a, float[] b) {
        float s0 = 0;
        float s1 = 0;
        float s2 = 0;
        float s3 = 0;
        int i = 0;
        for (; i + 3 < a.length; i += 4) {
            s0 += a[i] * b[i];
            s1 += a[i + 1] * b[i + 1];
            s2 += a[i + 2] * b[i + 2];
            s3 += a[i + 3] * b[i + 3];
        }
        for (; i < a.length; i++) {
            s0 += a[i] * b[i];
        }
        return s0 + s1 + (s2 + s3);
    }

    private static double max(float[] values) {
        double max = -1;
        for (float v : values) {
            max = Math.max(max, v);
        }
        return max;
    }
}
