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

    /** The task's name. */
    public synchronized String of(String text) {
        return known.computeIfAbsent(text, this::find);
    }

    private String find(String text) {
        if (vectors.isEmpty()) {
            List<String> texts = new ArrayList<>();
            descriptions.forEach((task, own) -> own.forEach(description -> {
                owners.add(task);
                texts.add(description);
            }));
            for (int from = 0; from < texts.size(); from += BATCH) {
                vectors.addAll(List.of(encoder.embedTasks(texts.subList(from, Math.min(texts.size(), from + BATCH)))));
            }
        }
        float[] wanted = encoder.embedTasks(List.of(text))[0];
        int best = 0;
        double most = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < vectors.size(); i++) {
            double product = 0;
            for (int k = 0; k < wanted.length; k++) {
                product += (double) wanted[k] * vectors.get(i)[k];
            }
            if (product > most) {
                most = product;
                best = i;
            }
        }
        return owners.get(best);
    }
}
