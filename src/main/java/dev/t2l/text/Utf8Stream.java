package dev.t2l.text;

/**
 * UTF-8 that comes in pieces cut anywhere, with U+FFFD for each longest start of a character that does not go on (Unicode, table 3-7 and
 * "U+FFFD substitution of maximal subparts"). The JDK's decoder gives one U+FFFD for an encoded surrogate, where this rule, Rust and
 * Python give three.
 */
final class Utf8Stream {
    private static final char REPLACEMENT = '\uFFFD';

    private int codePoint;
    private int missing;
    /** The bytes that may come next. */
    private int low = 0x80;
    private int high = 0xBF;

    /** The characters that these bytes complete. */
    String next(byte[] bytes) {
        StringBuilder out = new StringBuilder(bytes.length);
        for (byte signed : bytes) {
            int b = signed & 0xFF;
            if (missing > 0 && (b < low || b > high)) {
                out.append(REPLACEMENT);
                missing = 0;
            }
            if (missing > 0) {
                codePoint = codePoint << 6 | b & 0x3F;
                low = 0x80;
                high = 0xBF;
                if (--missing == 0) {
                    out.appendCodePoint(codePoint);
                }
            } else {
                start(b, out);
            }
        }
        return out.toString();
    }

    private void start(int b, StringBuilder out) {
        if (b < 0x80) {
            out.append((char) b);
            return;
        }
        missing = b < 0xC2 ? 0 : b < 0xE0 ? 1 : b < 0xF0 ? 2 : b < 0xF5 ? 3 : 0;
        if (missing == 0) {
            out.append(REPLACEMENT);
            return;
        }
        codePoint = b & 0x3F >> missing;
        low = b == 0xE0 ? 0xA0 : b == 0xF0 ? 0x90 : 0x80;
        high = b == 0xED ? 0x9F : b == 0xF4 ? 0x8F : 0xBF;
    }

    /** U+FFFD for a character whose end never came; then anew. */
    String finish() {
        boolean cut = missing > 0;
        missing = 0;
        return cut ? String.valueOf(REPLACEMENT) : "";
    }
}
