package dev.t2l.data;

import java.util.List;
import java.util.stream.IntStream;

/** A table in Markdown that reads well as plain text, too: columns have one width, all but the first are aligned on the right. */
public final class MarkdownTable {
    private MarkdownTable() {
    }

    /** @param rows of equal length, the headings first */
    public static String text(List<List<String>> rows) {
        int[] widths = IntStream.range(0, rows.getFirst().size()).map(c -> rows.stream().mapToInt(row -> row.get(c).length()).max().orElse(0)).toArray();
        var text = new StringBuilder();
        for (int r = 0; r < rows.size(); r++) {
            text.append(line(rows.get(r), widths, ' '));
            if (r == 0) {
                text.append(line(rows.getFirst().stream().map(_ -> "").toList(), widths, '-'));
            }
        }
        return text.toString();
    }

    private static String line(List<String> cells, int[] widths, char filler) {
        var text = new StringBuilder("|");
        for (int c = 0; c < widths.length; c++) {
            String fill = String.valueOf(filler).repeat(widths[c] - cells.get(c).length());
            text.append(filler).append(c == 0 ? cells.get(c) + fill : fill + cells.get(c)).append(filler == '-' && c > 0 ? ":" : filler).append('|');
        }
        return text.append('\n').toString();
    }
}
