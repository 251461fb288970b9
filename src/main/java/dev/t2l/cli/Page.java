package dev.t2l.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Text laid out for a terminal: no line is longer than its width, headings are bold there, and plain elsewhere.
 *
 * @param width in characters
 * @param rich  whether bold and dim text is shown as such
 */
record Page(PrintWriter out, int width, boolean rich) {
    private static final int NARROWEST = 72;
    private static final int WIDEST = 100;
    private static final int TALLEST = 4; // lines of a row
    private static final String GAP = "  ";

    /** A page as wide as the terminal, within what reads well. */
    static Page of(PrintWriter out, int columns, boolean terminal) {
        return new Page(out, Math.clamp(columns, NARROWEST, WIDEST), terminal);
    }

    String bold(String text) {
        return rich ? "\u001b[1m" + text + "\u001b[0m" : text;
    }

    String dim(String text) {
        return rich ? "\u001b[2m" + text + "\u001b[0m" : text;
    }

    void line() {
        out.println();
    }

    void heading(String text) {
        out.println();
        out.println(bold(text));
    }

    /** A paragraph, its lines after the first indented by {@code indent} more. */
    void text(int margin, int indent, String text) {
        for (String line : wrapped(text, width - margin, indent)) {
            out.println(" ".repeat(margin) + line);
        }
    }

    void format(int margin, String format, Object... values) {
        text(margin, 0, String.format(Locale.ROOT, format, values));
    }

    private static List<String> wrapped(String text, int width, int indent) {
        List<String> lines = new ArrayList<>();
        var line = new StringBuilder();
        for (String word : text.split(" ")) {
            if (!line.isEmpty() && line.length() + 1 + word.length() > width) {
                lines.add(line.toString());
                line.setLength(0);
                line.append(" ".repeat(indent)).append(word);
            } else {
                line.append(line.isEmpty() ? "" : " ").append(word);
            }
        }
        lines.add(line.toString());
        return lines;
    }

    /** One row of cells, each broken into lines as wide as its column, the last of {@value #TALLEST} cut; negative widths set a cell to the right. */
    void row(int margin, int[] widths, List<String> cells) {
        List<List<String>> columns = new ArrayList<>();
        for (int i = 0; i < widths.length; i++) {
            columns.add(broken(cells.get(i), Math.abs(widths[i])));
        }
        int height = columns.stream().mapToInt(List::size).max().orElse(0);
        for (int l = 0; l < height; l++) {
            var line = new StringBuilder(" ".repeat(margin));
            for (int i = 0; i < widths.length; i++) {
                String cell = l < columns.get(i).size() ? columns.get(i).get(l) : "";
                String space = " ".repeat(Math.abs(widths[i]) - cell.length());
                line.append(widths[i] < 0 ? space + cell : cell + space).append(GAP);
            }
            out.println(line.toString().stripTrailing());
        }
    }

    /** Lines of at most {@code width} characters, between words where there are any. */
    private static List<String> broken(String text, int width) {
        List<String> lines = new ArrayList<>();
        String rest = oneLine(text);
        while (rest.length() > width && lines.size() < TALLEST - 1) {
            int space = rest.lastIndexOf(' ', width);
            int end = space > 0 ? space : Character.isHighSurrogate(rest.charAt(width - 1)) && width > 1 ? width - 1 : width;
            lines.add(rest.substring(0, end));
            rest = rest.substring(end).stripLeading();
        }
        lines.add(cut(rest, width));
        return lines;
    }

    /** The space that {@code columns} columns have between them. */
    int share(int margin, int columns) {
        return width - margin - GAP.length() * (columns - 1);
    }

    /** Without control characters but line ends and tabs: what a model says must not steer the terminal. */
    static String harmless(String text) {
        return text.replaceAll("[\\p{Cc}&&[^\\n\\t]]", "\ufffd");
    }

    private static String oneLine(String text) {
        return harmless(text.strip().replaceAll("\\s+", " "));
    }

    /** A text in one line, cut where it is longer. */
    static String cut(String text, int width) {
        String one = oneLine(text);
        return one.length() <= width ? one : one.substring(0, Math.max(0, width - 1)) + "…";
    }
}
