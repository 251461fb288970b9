package dev.t2l.eval;

import dev.t2l.eval.AdapterSource.Loaded;
import dev.t2l.eval.Question.AdapterOf;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;

/** Adapters of the questions to come: made together when a batch first needs them, freed when no later question does. Not thread-safe. */
final class AdapterPool implements AutoCloseable {
    private final Map<AdapterOf, Integer> wanted = new HashMap<>();
    private final Map<AdapterOf, Loaded> loaded = new LinkedHashMap<>();

    AdapterPool(Collection<Question> questions) {
        questions.forEach(question -> wanted.merge(question.adapter(), 1, Integer::sum));
    }

    /** The adapters of a batch, those that are missing in one pass for each source. */
    List<Loaded> get(List<Question> batch) {
        Map<AdapterSource, LinkedHashSet<String>> missing = new LinkedHashMap<>();
        for (Question question : batch) {
            AdapterOf of = question.adapter();
            if (!loaded.containsKey(of)) {
                missing.computeIfAbsent(of.source(), _ -> new LinkedHashSet<>()).add(of.text());
            }
        }
        missing.forEach((source, texts) -> {
            List<String> inOrder = new ArrayList<>(texts);
            List<Loaded> made = source.load(inOrder);
            for (int i = 0; i < made.size(); i++) {
                loaded.put(new AdapterOf(source, inOrder.get(i)), made.get(i));
            }
        });
        return batch.stream().map(question -> loaded.get(question.adapter())).toList();
    }

    /** Frees what only these questions needed. */
    void done(Collection<Question> batch) {
        for (Question question : batch) {
            if (wanted.merge(question.adapter(), -1, Integer::sum) == 0) {
                loaded.remove(question.adapter()).release().run();
            }
        }
    }

    @Override
    public void close() {
        loaded.values().forEach(adapter -> adapter.release().run());
        loaded.clear();
    }
}
