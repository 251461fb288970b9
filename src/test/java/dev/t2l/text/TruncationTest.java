package dev.t2l.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Lengths after longest-first truncation, as tokenizers 0.23.3 gives them. */
class TruncationTest {
    @ParameterizedTest
    @CsvSource({"3, 4, 7, 3, 4", "3, 9, 7, 3, 4", "9, 3, 7, 4, 3", "9, 9, 8, 4, 4", "9, 9, 7, 3, 4", "10, 9, 7, 4, 3", "5, 2, 1, 1, 0", "2, 5, 1, 0, 1", "0, 9, 4, 0, 4", "4, 4, 0, 0, 0"})
    void theLongerTextLosesFirst(int first, int second, int max, int wantFirst, int wantSecond) {
        int[] a = IntStream.range(0, first).toArray();
        int[] b = IntStream.range(100, 100 + second).toArray();
        Truncation.Pair left = Truncation.longestFirst(a, b, max, Truncation.Side.LEFT);
        assertArrayEquals(IntStream.range(first - wantFirst, first).toArray(), left.first());
        assertArrayEquals(IntStream.range(100 + second - wantSecond, 100 + second).toArray(), left.second());
        Truncation.Pair right = Truncation.longestFirst(a, b, max, Truncation.Side.RIGHT);
        assertArrayEquals(IntStream.range(0, wantFirst).toArray(), right.first());
        assertArrayEquals(IntStream.range(100, 100 + wantSecond).toArray(), right.second());
    }

    @Test
    void aNegativeLengthIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> Truncation.longestFirst(new int[1], new int[1], -1, Truncation.Side.LEFT));
    }
}
