package dev.t2l.text;

/**
 * A token that is found in the text before it is split into words (the {@code added_tokens} of tokenizer.json).
 *
 * @param special    a control token: in text only where the caller allows it
 * @param leftStrip  swallows white space before it
 * @param rightStrip swallows white space after it
 * @param singleWord only between non-word characters
 */
record AddedToken(int id, String content, boolean special, boolean leftStrip, boolean rightStrip, boolean singleWord) {
    static AddedToken plain(int id, String content, boolean special) {
        return new AddedToken(id, content, special, false, false, false);
    }
}
