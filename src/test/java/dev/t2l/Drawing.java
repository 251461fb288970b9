package dev.t2l;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.font.TextLayout;
import java.awt.image.BufferedImage;

/** Whether this Java can draw text: without fonts, as in many containers, or without the native parts of AWT it cannot. */
public final class Drawing {
    private static final String HINDRANCE = hindrance();

    private Drawing() {
    }

    public static boolean possible() {
        return HINDRANCE.isEmpty();
    }

    /** Skips the test where no text can be drawn. */
    public static void assumePossible() {
        assumeTrue(possible(), () -> "no text can be drawn here: " + HINDRANCE);
    }

    /** What a line of text fails with, or nothing. */
    private static String hindrance() {
        System.setProperty("java.awt.headless", "true");
        try {
            Graphics2D graphics = new BufferedImage(100, 20, BufferedImage.TYPE_INT_RGB).createGraphics();
            new TextLayout("text", new Font(Font.SANS_SERIF, Font.PLAIN, 12), graphics.getFontRenderContext()).draw(graphics, 0, 15);
            graphics.dispose();
            return "";
        } catch (Exception | LinkageError e) {
            return e.toString();
        }
    }
}
