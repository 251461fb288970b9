package dev.t2l.cli;

import dev.t2l.io.AtomicFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** What a terminal shows as an SVG picture: text in lines of one font, bold and dim where the terminal would have it so. */
final class TerminalPicture {
    private static final double ADVANCE = 7.83; // of a character of 13 px in the usual fonts of one width
    private static final double LINE = 18;
    private static final double BORDER = 16;
    private static final String ESCAPE = "\u001b[";

    private TerminalPicture() {
    }

    /** @param text with the escape sequences of {@link Page} */
    static void write(Path file, String command, String text) {
        AtomicFile.write(file, svg(command, text).getBytes(StandardCharsets.UTF_8));
    }

    static String svg(String command, String text) {
        List<String> lines = ("$ " + command + "\n" + text.stripTrailing()).lines().toList();
        int columns = lines.stream().mapToInt(line -> line.replaceAll("\u001b\\[\\d+m", "").length()).max().orElse(0);
        var svg = new StringBuilder();
        String size = String.format(Locale.ROOT, "width=\"%.0f\" height=\"%.0f\"", columns * ADVANCE + 2 * BORDER, lines.size() * LINE + 2 * BORDER);
        svg.append("<svg xmlns=\"http://www.w3.org/2000/svg\" ").append(size).append(">\n")
                .append("<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#16181d\"/>\n")
                .append("<g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"13\" fill=\"#d8dce2\">\n");
        for (int i = 0; i < lines.size(); i++) {
            if (!lines.get(i).isEmpty()) {
                svg.append(String.format(Locale.ROOT, "<text x=\"%.0f\" y=\"%.0f\">", BORDER, BORDER + (i + 0.75) * LINE)).append(spans(lines.get(i))).append("</text>\n");
            }
        }
        return svg.append("</g>\n</svg>\n").toString();
    }

    /** With spaces that no viewer takes for one. */
    private static String spans(String line) {
        return line.replace(' ', '\u00a0').replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
                .replace("✓", "<tspan fill=\"#7fd08a\">✓</tspan>").replace("✗", "<tspan fill=\"#e5857b\">✗</tspan>")
                .replace(ESCAPE + "1m", "<tspan font-weight=\"bold\" fill=\"#ffffff\">").replace(ESCAPE + "2m", "<tspan fill=\"#8b94a1\">").replace(ESCAPE + "0m", "</tspan>");
    }
}
