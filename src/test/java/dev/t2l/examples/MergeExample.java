package dev.t2l.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.t2l.Adaptation;
import dev.t2l.Completion;
import dev.t2l.LanguageModel;
import dev.t2l.Request;
import dev.t2l.Sampling;
import dev.t2l.TextToLora;
import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import org.junit.jupiter.api.Test;

/** An adapter that is always used can be merged into a copy of the weights, and taken out again. */
class MergeExample {

    @Test
    void mergesAndUnmerges() {
        var request = Request.raw("once upon a time", Adaptation.none(), Sampling.greedy().withMaxTokens(10));
        try (var backend = Backend.best();
             var lm = LanguageModel.load(Tiny.BASE, backend);
             var t2l = TextToLora.load(Tiny.T2L, lm);
             var adapter = t2l.generate("Tell a fairy tale.");
             LanguageModel merged = lm.merge(adapter);
             LanguageModel unmerged = merged.unmerge()) {
            Completion adapted = merged.generate(request);

            assertEquals(lm.generate(Request.raw("once upon a time", adapter, Sampling.greedy().withMaxTokens(10))), adapted);
            assertEquals(lm.generate(request), unmerged.generate(request));
            assertNotEquals(lm.generate(request), adapted);
        }
    }
}
