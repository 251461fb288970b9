package dev.t2l.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.t2l.Adaptation;
import dev.t2l.Adapter;
import dev.t2l.Completion;
import dev.t2l.LanguageModel;
import dev.t2l.Request;
import dev.t2l.Sampling;
import dev.t2l.TextToLora;
import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Several requests run side by side, each with its own adapter; what one gets does not depend on the others. */
class BatchExample {

    @Test
    void servesRequestsSideBySide() {
        try (var backend = Backend.best();
             var lm = LanguageModel.load(Tiny.BASE, backend);
             var t2l = TextToLora.load(Tiny.T2L, lm)) {
            List<Adapter> adapters = t2l.generate(List.of("Translate into French.", "Summarise the text."));   // one pass
            List<Request> requests = List.of(
                    Request.raw("good morning", adapters.get(0), Sampling.greedy().withMaxTokens(8)),
                    Request.raw("a long story", adapters.get(1), Sampling.temperature(0.8, 42).withTopP(0.9).withMaxTokens(20)),
                    Request.raw("no adapter", Adaptation.none(), Sampling.greedy().withStop("\n").withMaxTokens(8)));

            List<Completion> answers = lm.generate(requests);

            for (int i = 0; i < requests.size(); i++) {
                assertEquals(lm.generate(requests.get(i)), answers.get(i));
            }
            adapters.forEach(Adapter::close);
        }
    }
}
