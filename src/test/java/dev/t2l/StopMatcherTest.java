package dev.t2l;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class StopMatcherTest {
    /** What comes out for the pieces, joined; a bar after each piece's share, and {@code !} if it stopped. */
    private static String run(List<String> stops, String... pieces) {
        var matcher = new StopMatcher(stops);
        var out = new StringBuilder();
        for (String piece : pieces) {
            out.append(matcher.accept(piece)).append('|');
        }
        return (matcher.stopped() ? out.append('!') : out.append(matcher.finish())).toString();
    }

    @Test
    void withoutStopsNothingIsHeldBack() {
        assertEquals("a|b||c|", run(List.of(), "a", "b", "", "c"));
    }

    @Test
    void aStopIsCutOffWithAllThatFollows() {
        assertEquals("one|!", run(List.of("STOP"), "oneSTOPtwo"));
        assertEquals("|!", run(List.of("STOP"), "STOP"));
        assertEquals("one|||!", run(List.of("STOP"), "one", "STOP", "two"));
    }

    @Test
    void aStopMaySpanPieces() {
        assertEquals("on|e||||!", run(List.of("STOP"), "on", "eS", "T", "O", "Px"));
    }

    @Test
    void whatOnlyBeganLikeAStopIsGivenOut() {
        assertEquals("a||STx|b|", run(List.of("STOP"), "a", "ST", "x", "b"));
        assertEquals("a||ST", run(List.of("STOP"), "a", "ST"));
        assertEquals("|S||!", run(List.of("STOP"), "S", "S", "TOP"));
        assertEquals("||ab|!", run(List.of("abac"), "ab", "a", "bac").replaceFirst("ab\\|!", "ab|!"));
    }

    @Test
    void theFirstCompleteStopWins() {
        assertEquals("xa|!", run(List.of("abcd", "bc"), "xabcd"));
        assertEquals("x|a|!", run(List.of("abcd", "bc"), "xab", "cd"));
        assertEquals("x|!", run(List.of("bc", "abc"), "xabcd"), "of two that end together, the longer");
        assertEquals("x||!", run(List.of("\n\n", "\nUser:"), "x\n", "User:"));
    }

    /** Against the definition, on random texts of two letters, which overlap as much as can be. */
    @Test
    void theCutOfPiecesMakesNoDifference() {
        var random = new SplittableRandom(1);
        for (int round = 0; round < 2000; round++) {
            String text = letters(random, 12);
            List<String> stops = List.of(letters(random, random.nextInt(1, 5)), letters(random, random.nextInt(1, 5)));
            var matcher = new StopMatcher(stops);
            var got = new StringBuilder();
            for (int at = 0; at < text.length();) {
                int end = random.nextInt(at + 1, text.length() + 1);
                got.append(matcher.accept(text.substring(at, end)));
                at = end;
            }
            if (!matcher.stopped()) {
                got.append(matcher.finish());
            }
            assertEquals(expected(text, stops), got.toString(), text + " " + stops);
            assertEquals(stops.stream().anyMatch(text::contains), matcher.stopped());
        }
    }

    private static String letters(SplittableRandom random, int count) {
        return random.ints(count, 0, 2).mapToObj(i -> i == 0 ? "a" : "b").reduce("", String::concat);
    }

    private static String expected(String text, List<String> stops) {
        for (int end = 1; end <= text.length(); end++) {
            String read = text.substring(0, end);
            int longest = stops.stream().filter(read::endsWith).mapToInt(String::length).max().orElse(0);
            if (longest > 0) {
                assertTrue(read.length() >= longest);
                return read.substring(0, end - longest);
            }
        }
        return text;
    }
}
