package dev.t2l.eval;

import dev.t2l.Adaptation;
import dev.t2l.Adapter;
import dev.t2l.TextToLora;
import dev.t2l.hyper.HyperConfig.Condition;
import dev.t2l.hyper.HyperConfig.LoraShape;
import dev.t2l.ops.LoraBatch;
import java.util.List;
import java.util.function.Supplier;

/** Where a question's adapters come from, by a text: a description, a task's name, the input itself. */
public interface AdapterSource {
    /**
     * Adapters in use.
     *
     * @param entries that act on all rows of a sequence
     * @param release frees them
     */
    record Loaded(List<LoraBatch.Entry> entries, Runnable release) {
        static Loaded borrowed(List<LoraBatch.Entry> entries) {
            return new Loaded(entries, () -> { });
        }

        static Loaded owned(Adapter adapter, float factor) {
            return new Loaded(weighted(adapter, factor), adapter::close);
        }

        private static List<LoraBatch.Entry> weighted(Adapter adapter, float factor) {
            return List.of(new LoraBatch.Entry(adapter.weights(), LoraBatch.Weight.constant(factor)));
        }
    }

    /** What a text's adapters depend on, but for the text: files by their content. */
    String identity(String text);

    /** The adapters of texts, each as if it were asked for alone. */
    List<Loaded> load(List<String> texts);

    /** The base model as it is. */
    AdapterSource NONE = new AdapterSource() {
        @Override
        public String identity(String text) {
            return "";
        }

        @Override
        public List<Loaded> load(List<String> texts) {
            return texts.stream().map(_ -> Loaded.borrowed(List.of())).toList();
        }
    };

    /** A hypernetwork that reads what it was trained to read, descriptions or inputs. It is borrowed. */
    static AdapterSource generated(TextToLora network, String identity, LoraScale scale) {
        LoraShape shape = network.config().lora();
        float factor = scale.factor(shape.rank(), shape.useRslora());
        boolean inputs = network.config().origin().condition() == Condition.INPUT;
        return new AdapterSource() {
            @Override
            public String identity(String text) {
                return identity + scaled(factor);
            }

            @Override
            public List<Loaded> load(List<String> texts) {
                List<Adapter> made = inputs ? network.generateForInputs(texts) : network.generate(texts);
                return made.stream().map(adapter -> Loaded.owned(adapter, factor)).toList();
            }
        };
    }

    /** One adapter, whatever the text. It is borrowed. */
    static AdapterSource stored(Adapter adapter, String identity, LoraScale scale) {
        float factor = scale.factor(adapter.config().scaling());
        List<LoraBatch.Entry> entries = Loaded.weighted(adapter, factor);
        return shared(() -> entries, () -> identity + scaled(factor));
    }

    /** One adaptation, whatever the text; both are asked for when they are needed, perhaps several times. It is borrowed. */
    static AdapterSource shared(Supplier<Adaptation> adaptation, String identity) {
        return shared(() -> adaptation.get().entries(), () -> identity);
    }

    private static AdapterSource shared(Supplier<List<LoraBatch.Entry>> entries, Supplier<String> identity) {
        return new AdapterSource() {
            @Override
            public String identity(String text) {
                return identity.get();
            }

            @Override
            public List<Loaded> load(List<String> texts) {
                return texts.stream().map(_ -> Loaded.borrowed(entries.get())).toList();
            }
        };
    }

    private static String scaled(float factor) {
        return factor == 1 ? "" : " * " + factor;
    }
}
