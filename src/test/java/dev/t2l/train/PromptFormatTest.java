package dev.t2l.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.t2l.Tiny;
import dev.t2l.text.ChatTemplate;
import dev.t2l.text.Tokenizer;
import dev.t2l.train.PromptFormat.Tokens;
import dev.t2l.train.TrainingConfig.Shortening;
import dev.t2l.train.TrainingConfig.Text;
import dev.t2l.train.TrainingTask.Example;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class PromptFormatTest {
    private static final String TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n' }}{% endfor %}"
            + "{% if add_generation_prompt %}assistant: {% endif %}";
    private static Tokenizer tokenizer;

    @BeforeAll
    static void load() {
        tokenizer = Tokenizer.load(Tiny.BASE);
    }

    @AfterAll
    static void close() {
        tokenizer.close();
    }

    private static PromptFormat format(boolean chat, Shortening shortening, int most, int prompt, int response) {
        return new PromptFormat(tokenizer, chat ? Optional.of(ChatTemplate.parse(TEMPLATE)) : Optional.empty(), new Text(Optional.empty(), shortening, most, prompt, response));
    }

    private static int[] ids(String text) {
        return tokenizer.encode(text, false, false);
    }

    private static int[] joined(int[]... parts) {
        return Arrays.stream(parts).flatMapToInt(Arrays::stream).toArray();
    }

    @Test
    void promptAndResponseAreTokenisedApartAndTheTurnEnds() {
        int[] eos = tokenizer.eosId().stream().toArray();
        assertEquals(1, eos.length);
        for (boolean chat : new boolean[] {true, false}) {
            PromptFormat format = format(chat, Shortening.TOGETHER, 512, 0, 0);
            assertArrayEquals(eos, format.end());
            Tokens tokens = format.tokenise(new Example("once upon", "a time"));
            assertArrayEquals(joined(ids(chat ? "user: once upon\nassistant: " : "once upon"), ids("a time"), eos), tokens.ids());
            int[] labels = tokens.labels();
            int prompt = tokens.ids().length - tokens.response();
            assertTrue(Arrays.stream(labels, 0, prompt).allMatch(label -> label == TrainingBatch.IGNORED));
            assertArrayEquals(joined(ids("a time"), eos), Arrays.copyOfRange(labels, prompt, labels.length));
        }
    }

    @Test
    void togetherTheLongerOneIsCutOnTheLeftFirst() {
        int[] prompt = ids("one two three four five six seven eight nine ten");
        int[] response = joined(ids("a"), tokenizer.eosId().stream().toArray());
        int most = response.length + 3;
        Tokens tokens = format(false, Shortening.TOGETHER, most, 0, 0).tokenise(new Example("one two three four five six seven eight nine ten", "a"));
        assertArrayEquals(joined(Arrays.copyOfRange(prompt, prompt.length - 3, prompt.length), response), tokens.ids());
        assertEquals(response.length, tokens.response());
    }

    @Test
    void apartThePromptLosesItsBeginningAndTheResponseItsEnd() {
        String text = "one two three four five six seven eight nine ten";
        int[] all = ids(text);
        Tokens tokens = format(false, Shortening.APART, 0, 4, 3).tokenise(new Example(text, text));
        assertArrayEquals(joined(Arrays.copyOfRange(all, all.length - 4, all.length), Arrays.copyOf(all, 3), tokenizer.eosId().stream().toArray()), tokens.ids());
        assertEquals(4, tokens.response());
    }

    @Test
    void whatHasNothingToPredictIsLeftOutAndCounted() {
        assertFalse(new Tokens(new int[] {1}, 1, "").predicts());
        assertFalse(new Tokens(new int[] {1, 2}, 0, "").predicts());
        var task = new TrainingTask("t", List.of("d"), List.of(), List.of(new Example("", ""), new Example("a", "b")), List.of());
        TokenisedTask tokenised = TokenisedTask.of(List.of(task), format(false, Shortening.TOGETHER, 512, 0, 0)).getFirst();
        assertEquals(1, tokenised.refused());
        assertEquals(1, tokenised.examples().size());
    }
}
