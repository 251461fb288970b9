package dev.t2l.text;

/** Unicode's White_Space property: what {@code \s} means in the peers' expressions. All of it lies in the basic plane. */
final class Whitespace {
    private Whitespace() {
    }

    static boolean is(int codePoint) {
        return codePoint >= 0x09 && codePoint <= 0x0D || codePoint == 0x85 || Character.isSpaceChar(codePoint);
    }
}
