package dev.t2l.text;

import java.util.List;

/**
 * A part of a prompt with its origin.
 *
 * @param text     the characters
 * @param template true for what a chat template (the model's own file) wrote, in which control tokens are recognised; false for
 *                 data, such as a message's content, in which {@code <|im_end|>} is nine ordinary characters and more
 */
public record Segment(String text, boolean template) {
    public static Segment template(String text) {
        return new Segment(text, true);
    }

    public static Segment data(String text) {
        return new Segment(text, false);
    }

    /** The characters of all segments. */
    public static String join(List<Segment> segments) {
        StringBuilder text = new StringBuilder();
        segments.forEach(s -> text.append(s.text()));
        return text.toString();
    }
}
