package dev.t2l.experiment;

import dev.t2l.TextEncoder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Which of many descriptions is closest to a vector, by cosine; of equals the first. */
final class NearestDescription {
    private static final int BATCH = 64;

    private final List<String> owners;
    private final List<float[]> vectors;

    /** @param distance 1 - cosine */
    record Found(String task, double distance) {
    }

    private NearestDescription(List<String> owners, List<float[]> vectors) {
        this.owners = owners;
        this.vectors = vectors;
    }

    /** @param descriptions by task */
    static NearestDescription of(TextEncoder encoder, Map<String, List<String>> descriptions) {
        List<String> owners = new ArrayList<>();
        List<String> texts = new ArrayList<>();
        descriptions.forEach((task, own) -> own.forEach(text -> {
            owners.add(task);
            texts.add(text);
        }));
        if (texts.isEmpty()) {
            throw new IllegalArgumentException("the training tasks have no descriptions");
        }
        return new NearestDescription(owners, vectors(encoder, texts));
    }

    /** Task embeddings of any number of texts. */
    static List<float[]> vectors(TextEncoder encoder, List<String> texts) {
        List<float[]> vectors = new ArrayList<>();
        for (int from = 0; from < texts.size(); from += BATCH) {
            vectors.addAll(List.of(encoder.embedTasks(texts.subList(from, Math.min(texts.size(), from + BATCH)))));
        }
        return vectors;
    }

    Found of(float[] vector) {
        int best = 0;
        double most = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < vectors.size(); i++) {
            double cosine = Gram.cosine(vector, vectors.get(i));
            if (cosine > most) {
                most = cosine;
                best = i;
            }
        }
        return new Found(owners.get(best), 1 - most);
    }
}
