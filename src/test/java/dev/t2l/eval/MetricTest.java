package dev.t2l.eval;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MetricTest {
    private static EvalExample wanting(String... outputs) {
        return new EvalExample("", List.of(outputs), List.of());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            Paris            | paris            | 1
            `  New\u00a0 York. ` | new york     | 1
            STRASSE          | straße           | 1
            Paris.           | Paris            | 1
            Paris            | Paris.           | 1
            Paris..          | Paris            | 0
            "Paris"          | Paris            | 0
            Paris, France    | Paris            | 0
            (A)              | (a)              | 1
            A                | (A)              | 0
            ``               | Paris            | 0
            """)
    void exactMatch(String answer, String output, double score) {
        assertEquals(score, Metric.EXACT_MATCH.score(answer, wanting("another", output)));
        assertEquals(score, Metric.MULTIPLE_CHOICE.score(answer, wanting("another", output)));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            25 + 15 = 40. #### 1,240   | #### 1240 | 1
            the answer is 12.0.        | 12        | 1
            12 or 13                   | 12        | 0
            10-4                       | 4         | 1
            it is -4                   | -4        | 1
            it is 4                    | -4        | 0
            $0.50                      | .5        | 1
            12,34                      | 34        | 1
            none                       | 3         | 0
            3                          | none      | 0
            """)
    void theLastNumber(String answer, String output, double score) {
        assertEquals(score, Metric.NUMERIC.score(answer, wanting(output)));
    }

    @Test
    void rougeL() {
        // police killed the gunman / police kill the gunman: LCS "police the gunman" (Lin 2004, example 1): P = R = 3/4
        assertEquals(0.75, Metric.ROUGE_L.score("police kill the gunman", wanting("Police killed the gunman.")), 1e-12);
        // of 2 words against 4: "police gunman", P = 1, R = 1/2
        assertEquals(2.0 / 3, Metric.ROUGE_L.score("police, gunman", wanting("police killed the gunman")), 1e-12);
        // LCS keeps the order: "a b" of "b a b" and "a b c": P = 2/3, R = 2/3
        assertEquals(2.0 / 3, Metric.ROUGE_L.score("b a b", wanting("x", "a b c")), 1e-12);
        assertEquals(0, Metric.ROUGE_L.score("", wanting("a")));
        assertEquals(0, Metric.ROUGE_L.score("...", wanting("...")));
    }

    @Test
    void names() {
        assertEquals(Metric.ROUGE_L, Metric.of("rouge_l"));
        assertThrows(IllegalArgumentException.class, () -> Metric.of("bleu"));
        assertThrows(IllegalStateException.class, () -> Metric.PASS_AT_1.score("x", wanting("x")));
    }
}
