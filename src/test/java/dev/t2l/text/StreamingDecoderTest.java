package dev.t2l.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Text comes whole: characters cut over tokens are held back, and what can never become one gives U+FFFD. */
class StreamingDecoderTest {
    /** Token i is byte i. */
    private static StreamingDecoder bytes() {
        return new StreamingDecoder((id, atStart) -> new byte[] {(byte) id}, id -> id == 256);
    }

    @Test
    void aCharacterIsGivenOutWithItsLastByte() {
        StreamingDecoder decoder = bytes();
        String[] parts = new String[5];
        byte[] text = "😀!".getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i < 5; i++) {
            parts[i] = decoder.next(text[i] & 0xFF);
        }
        assertEquals("|||😀|!", String.join("|", parts));
        assertEquals("", decoder.finish());
    }

    @Test
    void aSkippedTokenDoesNotBreakACharacter() {
        StreamingDecoder decoder = bytes();
        assertEquals("", decoder.next(0xC3));
        assertEquals("", decoder.next(256));
        assertEquals("é", decoder.next(0xA9));
    }

    @Test
    void aStartThatNeverEndsComesOutAtTheEnd() {
        StreamingDecoder decoder = bytes();
        assertEquals("", decoder.next(0xE4));
        assertEquals("", decoder.next(0xB8));
        assertEquals("\uFFFD", decoder.finish());
        assertEquals("a", decoder.next('a'), "a finished decoder starts anew");
    }

    /** Expected values: Python's {@code bytes.decode('utf-8', 'replace')}, U+FFFD shown as ?. */
    @ParameterizedTest
    @CsvSource({"e4b841, ?A", "ff, ?", "c080, ??", "eda080, ???", "f0908041, ?A", "f4908080, ????", "e4b8e4b8ad, ?中", "80c3a9, ?é", "f09f98, ?"})
    void brokenSequencesAreReplacedByMaximalSubparts(String hex, String expected) {
        StreamingDecoder decoder = bytes();
        StringBuilder text = new StringBuilder();
        for (byte b : HexFormat.of().parseHex(hex)) {
            text.append(decoder.next(b & 0xFF));
        }
        assertEquals(expected.replace('?', '\uFFFD'), text.append(decoder.finish()).toString());
    }

    @Test
    void everyCharacterComesThrough() {
        StreamingDecoder decoder = bytes();
        for (int c = 0; c <= Character.MAX_CODE_POINT; c += c < 0x3000 ? 1 : 61) {
            if (c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE) {
                continue;
            }
            StringBuilder text = new StringBuilder();
            for (byte b : Character.toString(c).getBytes(StandardCharsets.UTF_8)) {
                text.append(decoder.next(b & 0xFF));
            }
            assertEquals(Character.toString(c), text.toString());
        }
    }

    @Test
    void noiseGivesWellFormedText() {
        Random random = new Random(7);
        for (int round = 0; round < 300; round++) {
            byte[] noise = new byte[random.nextInt(40)];
            random.nextBytes(noise);
            StreamingDecoder decoder = bytes();
            StringBuilder text = new StringBuilder();
            for (byte b : noise) {
                String part = decoder.next(b & 0xFF);
                assertEquals(part, WellFormed.of(part));
                text.append(part);
            }
            text.append(decoder.finish());
            assertEquals(new String(noise, StandardCharsets.UTF_8).replace("\uFFFD", ""), text.toString().replace("\uFFFD", ""), () -> HexFormat.of().formatHex(noise));
        }
    }
}
