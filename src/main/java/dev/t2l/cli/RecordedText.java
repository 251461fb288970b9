package dev.t2l.cli;

import dev.t2l.demo.RecordedTier;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** A recorded table in a terminal: columns are numbered, and named above it. */
final class RecordedText {
    private static final int MARGIN = 4;
    private static final int NAME = 24;
    private static final int NUMBER = 5;
    private static final int MEAN = 4;

    private final Page page;

    RecordedText(Page page) {
        this.page = page;
    }

    void print(Optional<RecordedTier> tier) {
        page.heading("(f) Recorded: zero-shot scores on unseen tasks");
        tier.ifPresentOrElse(this::print, () -> page.text(MARGIN, 0, "There is none yet: no evaluation of this checkpoint lies in models/recorded."));
    }

    private void print(RecordedTier tier) {
        RecordedTier.About about = tier.about();
        page.text(MARGIN, 0, "Not computed now: recorded at commit " + about.commit() + " on " + about.device() + ", log models/recorded/" + about.log() + ".");
        List<List<String>> rows = tier.scores().stream().skip(1).filter(row -> row.stream().skip(1).allMatch(RecordedText::isScore)).map(RecordedText::scores).toList();
        List<String> columns = tier.columns();
        page.line();
        for (int i = 0; i < columns.size(); i++) {
            page.text(MARGIN, MEAN, String.format("%2d  %s", i + 1, columns.get(i)));
        }
        int most = Math.max(1, (page.width() - MARGIN - NAME - 2) / (NUMBER + 2));
        for (int from = 0; from < columns.size(); from += most) {
            columns(rows, from, Math.min(columns.size(), from + most));
        }
        page.text(MARGIN, 0, about.verdict());
        if (!tier.differences().isEmpty()) {
            differences(tier.differences());
        }
        page.text(MARGIN, 0, "To do it again:");
        about.commands().forEach(command -> page.text(MARGIN + 2, 4, command));
    }

    /** All rows, of as many columns as there is room for. */
    private void columns(List<List<String>> rows, int from, int to) {
        int name = Math.min(rows.stream().map(List::getFirst).mapToInt(String::length).max().orElse(0), page.width() - MARGIN - (to - from) * (NUMBER + 2) - 2);
        int[] widths = IntStream.rangeClosed(0, to - from).map(i -> i == 0 ? name : -NUMBER).toArray();
        page.line();
        page.out().println(page.dim(" ".repeat(MARGIN + name + 2) + String.join("", IntStream.rangeClosed(from + 1, to).mapToObj(i -> String.format("%" + NUMBER + "d  ", i)).toList())));
        rows.forEach(row -> page.row(MARGIN, widths, Stream.concat(Stream.of(row.getFirst()), row.subList(from + 1, to + 1).stream()).toList()));
    }

    /** A number, with its deviation and marks perhaps: the rows of intervals and of single descriptions are not. */
    private static boolean isScore(String cell) {
        return cell.matches("[\\d.]+( ± [\\d.]+)?( [*†]+)*");
    }

    private static List<String> scores(List<String> row) {
        List<String> cells = new ArrayList<>(row);
        cells.replaceAll(cell -> cell.replaceFirst(" [±*†].*", ""));
        return cells;
    }

    private void differences(List<List<String>> rows) {
        int[] widths = IntStream.range(0, rows.getFirst().size()).map(c -> (c == 0 ? 1 : -1) * rows.stream().mapToInt(row -> row.get(c).length()).max().orElse(0)).toArray();
        page.line();
        rows.forEach(row -> page.row(MARGIN, widths, row));
        page.line();
    }
}
