package dev.t2l.bench;

import dev.t2l.Adapter;
import dev.t2l.LanguageModel;
import dev.t2l.Request;
import dev.t2l.Sampling;
import dev.t2l.TextToLora;

/**
 * Description to first token: each caller, a thread of its own, has an adapter made from a new description, then a prompt read with it, again
 * and again. A sample is one such request.
 *
 * @param callers at the same time
 * @param tokens  of a description
 * @param prompt  tokens of the prompt
 */
public record FirstTokenCase(WeightFormat format, int callers, int tokens, int prompt) implements Case {
    /** @throws IllegalArgumentException if a number makes no sense */
    public FirstTokenCase {
        Numbers.positive("callers", callers);
        Numbers.atLeast("tokens", tokens, 3);
        Numbers.positive("prompt", prompt);
    }

    @Override
    public Figure run(Workbench bench) {
        LanguageModel model = bench.decoder(format).model();
        TextToLora t2l = bench.textToLora();
        Samples samples = bench.stopwatch().concurrently(callers, () -> {
            String description = bench.description(tokens);
            String text = bench.prompt(prompt);
            return () -> {
                try (Adapter adapter = t2l.generate(description)) {
                    model.generate(Request.raw(text, adapter, Sampling.greedy().withMaxTokens(1)));
                }
            };
        });
        return Figure.of("first-token", bench.shapes().decoder(), format.label(), Figure.settings("callers", callers, "tokens", tokens, "prompt", prompt,
                "encoder", bench.shapes().encoder().name(), "hypernetwork", HyperShape.name(bench.shapes().variant())), samples, callers, "requests/s", null, bench.roofline());
    }
}
