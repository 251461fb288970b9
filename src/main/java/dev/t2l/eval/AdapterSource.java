package dev.t2l.eval;

import dev.t2l.Adapter;
import dev.t2l.TextToLora;
import dev.t2l.ops.LoraBatch;
import java.util.List;

/** Where a question's adapters come from, by a text: a description, a task's name, the input itself. */
public interface AdapterSource {
    /**
     * Adapters in use.
     *
     * @param entries that act on all rows of a sequence
     * @param release frees them
     */
    record Loaded(List<LoraBatch.Entry> entries, Runnable release) {
    }

    /** What the adapters depend on, but for the text: files by their content. */
    String identity();

    /** The adapters of texts, each as if it were asked for alone. */
    List<Loaded> load(List<String> texts);

    /** The base model as it is. */
    AdapterSource NONE = new AdapterSource() {
        @Override
        public String identity() {
            return "";
        }

        @Override
        public List<Loaded> load(List<String> texts) {
            return texts.stream().map(_ -> new Loaded(List.of(), () -> { })).toList();
        }
    };

    /** A hypernetwork that reads descriptions. It is borrowed. */
    static AdapterSource generated(TextToLora network, String identity) {
        return new AdapterSource() {
            @Override
            public String identity() {
                return identity;
            }

            @Override
            public List<Loaded> load(List<String> texts) {
                return network.generate(texts).stream().map(adapter -> new Loaded(List.of(entry(adapter)), adapter::close)).toList();
            }
        };
    }

    /** One adapter, whatever the text. It is borrowed. */
    static AdapterSource stored(Adapter adapter, String identity) {
        return new AdapterSource() {
            @Override
            public String identity() {
                return identity;
            }

            @Override
            public List<Loaded> load(List<String> texts) {
                return texts.stream().map(_ -> new Loaded(List.of(entry(adapter)), () -> { })).toList();
            }
        };
    }

    private static LoraBatch.Entry entry(Adapter adapter) {
        return new LoraBatch.Entry(adapter.weights(), LoraBatch.Weight.constant(1));
    }
}
