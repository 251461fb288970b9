package dev.t2l;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.backend.Backend;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Requests to a language model: side by side, at once, and at their limits. */
class LanguageModelTest {
    private static final String LONG = "a prompt of many words, of which some are long, and others short";

    static List<String> backends() {
        return EachBackend.available();
    }

    /** Prompts of one token up to some thirty, more than one pass of prefill in all; every kind of adaptation and sampling. */
    private static List<Request> mixed(Adapter a, Adapter b) {
        List<Adaptation> adaptations = List.of(Adaptation.none(), a, b, AdapterMix.of(new AdapterMix.Part(b, 0.5f), new AdapterMix.Part(a, -0.7f)), a.scaled(0));
        var requests = new ArrayList<Request>();
        for (int i = 0; i < 15; i++) {
            String prompt = LONG.substring(i * 3 % 20, LONG.length() - i * i % 40);
            Sampling sampling = i % 3 == 0 ? Sampling.greedy() : Sampling.temperature(1.5, i).withTopP(i % 3 == 1 ? 1 : 0.95);
            requests.add(Request.raw(i == 3 ? "" : prompt, adaptations.get(i % adaptations.size()), sampling.withMaxTokens(5 + 3 * i)));
        }
        return requests;
    }

    @ParameterizedTest
    @MethodSource("backends")
    void aRequestGetsTheSameAloneAndBesideOthers(String name) {
        try (Backend backend = Backend.open(name);
                LanguageModel lm = LanguageModel.load(Tiny.BASE, backend);
                Adapter a = Tiny.adapter(lm.config(), 2, 1);
                Adapter b = Tiny.adapter(lm.config(), 9, 2)) {
            List<Request> requests = mixed(a, b);
            List<Completion> together = lm.generate(requests);
            assertEquals(requests.stream().map(lm::generate).toList(), together);
            assertEquals(together, lm.generate(requests), "the same call twice");
            assertEquals(requests.size(), new HashSet<>(together).size(), "answers that tell the requests apart");
            assertTrue(together.stream().mapToInt(Completion::promptTokens).sum() > 256, "more than one pass of prefill");
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void threadsGetWhatTheyGetOneAfterAnother(String name) throws InterruptedException {
        try (Backend backend = Backend.open(name);
                LanguageModel lm = LanguageModel.load(Tiny.BASE, backend);
                Adapter a = Tiny.adapter(lm.config(), 2, 1);
                Adapter b = Tiny.adapter(lm.config(), 9, 2)) {
            List<Request> requests = mixed(a, b);
            List<Completion> want = requests.stream().map(lm::generate).toList();
            List<Callable<Completion>> calls = requests.stream().<Callable<Completion>>map(request -> () -> lm.generate(request)).toList();
            for (ExecutorService threads : List.of(Executors.newFixedThreadPool(5), Executors.newVirtualThreadPerTaskExecutor())) {
                try (threads) {
                    assertEquals(want, threads.invokeAll(calls).stream().map(Future::resultNow).toList());
                }
            }
        }
    }

    @Test
    void limitsOfTokens() {
        try (Backend backend = Backend.best(); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend)) {
            Completion none = lm.generate(raw("x", 0));
            assertEquals(new Completion("", new int[0], none.promptTokens(), Completion.Finish.LENGTH, 0, 0), none);
            assertEquals(0, none.tokensPerSecond());
            Completion all = lm.generate(raw(LONG, 1000));
            Completion one = lm.generate(raw(LONG, 1));
            assertArrayEquals(new int[] {all.tokens()[0]}, one.tokens());
            assertEquals(lm.config().contextLength(), all.promptTokens() + all.tokens().length, "ends with the context");
            assertEquals(Completion.Finish.LENGTH, all.finish());
        }
    }

    private static Request raw(String prompt, int maxTokens) {
        return Request.raw(prompt, Adaptation.none(), Sampling.greedy().withMaxTokens(maxTokens));
    }

    @Test
    void promptsAtTheirLimits() {
        try (Backend backend = Backend.best(); LanguageModel lm = LanguageModel.load(Tiny.BASE, backend)) {
            assertEquals(1, lm.generate(raw("", 1)).promptTokens(), "the empty prompt is the model's first token");
            assertEquals(List.of(), lm.generate(List.of()));
            String tooLong = "z".repeat(lm.config().contextLength());
            String message = assertThrows(IllegalArgumentException.class, () -> lm.generate(raw(tooLong, 1))).getMessage();
            assertTrue(message.contains("context") && message.contains("HINT"), message);
            List<Request> withOneTooLong = List.of(raw("x", 1), raw(tooLong, 1));
            assertThrows(IllegalArgumentException.class, () -> lm.generate(withOneTooLong));
            assertEquals(1, lm.generate(raw("x", 1)).tokens().length, "and works on");
        }
    }

    @Test
    void aChatNeedsATemplate(@TempDir Path folder) throws Exception {
        try (Backend backend = Backend.best();
                LanguageModel bare = LanguageModel.load(Tiny.BASE, backend);
                LanguageModel chatty = LanguageModel.load(Tiny.withChatTemplate(folder), backend)) {
            Sampling few = Sampling.greedy().withMaxTokens(4);
            String message = assertThrows(IllegalStateException.class, () -> bare.generate(Chat.user("x"), Adaptation.none(), few, _ -> { })).getMessage();
            assertTrue(message.contains("chat template") && message.contains("HINT"), message);
            Chat chat = Chat.system("be brief").thenUser("x").thenAssistant("y").thenUser("<|end|>");
            int[] prompt = chatty.encode(chat);
            assertEquals("system: be brief\nuser: x\nassistant: y\nuser: <|end|>\nassistant: ", chatty.tokenizer().decode(prompt, false));
            int end = bare.tokenizer().encode("<|end|>", false, true)[0];
            assertTrue(Arrays.stream(prompt).noneMatch(id -> id == end), "what a user types is no control token");
            assertEquals(prompt.length, chatty.generate(chat, Adaptation.none(), few, _ -> { }).promptTokens());
        }
    }

    @Test
    void aRequestIsChatOrPromptAndComplete() {
        Sampling greedy = Sampling.greedy();
        assertThrows(IllegalArgumentException.class, () -> new Request(null, null, Adaptation.none(), greedy, _ -> { }, () -> false));
        assertThrows(IllegalArgumentException.class, () -> new Request(Chat.user("x"), "x", Adaptation.none(), greedy, _ -> { }, () -> false));
        assertThrows(NullPointerException.class, () -> Request.raw("x", null, greedy));
        assertThrows(NullPointerException.class, () -> Request.raw("x", Adaptation.none(), null));
    }
}
