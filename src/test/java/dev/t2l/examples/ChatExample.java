package dev.t2l.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.Adaptation;
import dev.t2l.Chat;
import dev.t2l.Completion;
import dev.t2l.LanguageModel;
import dev.t2l.Models;
import dev.t2l.Request;
import dev.t2l.Sampling;
import dev.t2l.backend.Backend;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A conversation: streamed, continued, stopped and cancelled. */
@Tag("models")
class ChatExample {

    @Test
    void converses() {
        try (var backend = Backend.best();
             var lm = LanguageModel.load(Models.require("SmolLM2-135M-Instruct", "SmolLM2-135M-Instruct.Q4_1.gguf"), backend)) {
            Chat chat = Chat.system("You answer in a few words.").thenUser("What is the capital of France?");
            List<String> pieces = new ArrayList<>();
            Completion first = lm.generate(chat, Adaptation.none(), Sampling.greedy().withMaxTokens(30), pieces::add);
            assertEquals(first.text(), String.join("", pieces));
            assertTrue(first.text().contains("Paris"), first.text());

            Chat more = chat.thenAssistant(first.text()).thenUser("Tell me a long story about it.");
            Sampling warm = Sampling.temperature(0.7, 1).withTopP(0.9).withMinP(0.05).withStop("\n\n").withMaxTokens(10);
            assertTrue(lm.generate(more, Adaptation.none(), warm, _ -> { }).tokens().length <= 10);

            long deadline = System.nanoTime();
            Completion late = lm.generate(Request.of(more, Adaptation.none(), warm).withCancellation(() -> System.nanoTime() > deadline));
            assertEquals(Completion.Finish.CANCELLED, late.finish());
        }
    }
}
