package dev.t2l.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.t2l.Adapter;
import dev.t2l.LanguageModel;
import dev.t2l.Request;
import dev.t2l.Sampling;
import dev.t2l.TextToLora;
import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import dev.t2l.tensor.DType;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Adapters go to disk as PEFT and llama.cpp read them, and come back. */
class SaveExample {

    @Test
    void savesAndLoads(@TempDir Path out) {
        try (var backend = Backend.best();
             var lm = LanguageModel.load(Tiny.BASE, backend);
             var t2l = TextToLora.load(Tiny.T2L, lm);
             Adapter adapter = t2l.generate("Answer with yes or no.")) {
            adapter.save(out.resolve("yes-no"));                                       // a PEFT folder
            adapter.saveGguf(out.resolve("yes-no.gguf"), lm.config(), DType.F16);      // for llama.cpp

            try (Adapter loaded = lm.loadAdapter(out.resolve("yes-no"))) {             // checked against the model
                assertEquals(Optional.of("Answer with yes or no."), loaded.description());
                assertEquals(lm.generate(Request.raw("Is it late?", adapter, few())), lm.generate(Request.raw("Is it late?", loaded, few())));
            }
        }
    }

    private static Sampling few() {
        return Sampling.greedy().withMaxTokens(8);
    }
}
