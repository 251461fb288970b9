package dev.t2l.eval;

import dev.t2l.TextEncoder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Which of many tasks has a description closest to a text: by the cosine of what a text encoder makes of them; of equals the first. */
public final class NearestTask {
    private static final int BATCH = 64;

    private final TextEncoder encoder;
    private final Map<String, List<String>> descriptions;
    private final List<String> owners = new ArrayList<>(); // of each vector
    private final List<float[]> vectors = new ArrayList<>();
    private final Map<String, String> known = new HashMap<>();

    /**
     * @param encoder      borrowed; all its vectors have one length
     * @param descriptions of each task, by name
     */
    public NearestTask(TextEncoder encoder, Map<String, List<String>> descriptions) {
        this.encoder = encoder;
        this.descriptions = descriptions;
        if (descriptions.values().stream().allMatch(List::isEmpty)) {
            throw new IllegalArgumentException("there is no description among those of the tasks " + descriptions.keySet());
        }
    }

    /**
     * The closest description's task.
     *
     * @param cosine of the description and what was asked about
     */
    public record Found(String task, double cosine) {
        public double distance() {
            return 1 - cosine;
        }
    }

    /** The task's name. */
    public synchronized String of(String text) {
        return known.computeIfAbsent(text, one -> closest(encoder.embedTasks(List.of(one))[0]).task());
    }

    /** @param vector as the encoder makes it of a text */
    public synchronized Found closest(float[] vector) {
        if (vectors.isEmpty()) {
            List<String> texts = new ArrayList<>();
            descriptions.forEach((task, own) -> own.forEach(description -> {
                owners.add(task);
                texts.add(description);
            }));
            vectors.addAll(vectors(encoder, texts));
        }
        int best = 0;
        double most = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < vectors.size(); i++) {
            double product = product(vector, vectors.get(i));
            if (product > most) {
                most = product;
                best = i;
            }
        }
        float[] nearest = vectors.get(best);
        double lengths = Math.sqrt(product(vector, vector) * product(nearest, nearest));
        return new Found(owners.get(best), lengths == 0 ? 0 : Math.clamp(most / lengths, -1, 1));
    }

    private static double product(float[] a, float[] b) {
        double sum = 0;
        for (int k = 0; k < a.length; k++) {
            sum += (double) a[k] * b[k];
        }
        return sum;
    }

    /** What an encoder makes of any number of texts. */
    public static List<float[]> vectors(TextEncoder encoder, List<String> texts) {
        List<float[]> vectors = new ArrayList<>();
        for (int from = 0; from < texts.size(); from += BATCH) {
            vectors.addAll(List.of(encoder.embedTasks(texts.subList(from, Math.min(texts.size(), from + BATCH)))));
        }
        return vectors;
    }
}
