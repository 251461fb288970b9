package dev.t2l.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import dev.t2l.Adaptation;
import dev.t2l.Adapter;
import dev.t2l.AdapterMix;
import dev.t2l.AdapterRouter;
import dev.t2l.LanguageModel;
import dev.t2l.Request;
import dev.t2l.Sampling;
import dev.t2l.TextToLora;
import dev.t2l.Tiny;
import dev.t2l.backend.Backend;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Adapters have weights, and may be mixed; scale 0 is the base model. */
class MixingExample {

    @Test
    void weighsAdapters() {
        try (var backend = Backend.best();
             var lm = LanguageModel.load(Tiny.BASE, backend);
             var t2l = TextToLora.load(Tiny.T2L, lm);
             Adapter maths = t2l.generate("Solve the problem, step by step.");
             Adapter brief = t2l.generate("Answer in one word.")) {
            Adaptation both = AdapterMix.between(maths, brief, 0.3f);      // 0.7 maths + 0.3 brief
            Adaptation half = maths.scaled(0.5f);
            Adaptation off = maths.scaled(0);

            assertEquals(say(lm, Adaptation.none()), say(lm, off));
            assertNotEquals(say(lm, Adaptation.none()), say(lm, both));
            assertEquals(say(lm, half), say(lm, AdapterMix.of(new AdapterMix.Part(maths, 0.5f))));
            assertEquals(say(lm, maths), say(lm, AdapterMix.between(maths, brief, 0)));
        }
    }

    @Test
    void averagesThemOrLetsTokensChoose() {
        try (var backend = Backend.best();
             var lm = LanguageModel.load(Tiny.BASE, backend);
             var t2l = TextToLora.load(Tiny.T2L, lm);
             Adapter maths = t2l.generate("Solve the problem, step by step.");
             Adapter brief = t2l.generate("Answer in one word.");
             Adapter film = t2l.generate("Return the language of the film.")) {
            List<Adapter> library = List.of(maths, brief, film);
            Adaptation average = AdapterMix.average(library);              // .elementwise() and .concatenated() make one adapter of it
            try (var arrow = AdapterRouter.arrow(library, backend)) {      // Arrow routing: the best 3 for each token, layer and projection
                assertNotEquals(say(lm, Adaptation.none()), say(lm, arrow.scaled(3)));
                assertNotEquals(say(lm, average.scaled(3)), say(lm, arrow.scaled(3)));
            }
        }
    }

    private static String say(LanguageModel lm, Adaptation adaptation) {
        return lm.generate(Request.raw("2 + 2", adaptation, Sampling.greedy().withMaxTokens(12))).text();
    }
}
