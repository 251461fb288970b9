package dev.t2l.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.junit.jupiter.api.Test;

class PageTest {
    private final StringWriter out = new StringWriter();
    private final Page page = new Page(new PrintWriter(out, true), 80, false);

    @Test
    void cellsAreBrokenIntoLines() {
        page.row(2, new int[] {12, -6, 8}, List.of("an answer of many words", "1.5", "unbreakable"));
        assertEquals(List.of("  an answer of     1.5  unbreaka", "  many words            ble"), out.toString().lines().toList());
    }

    @Test
    void whatIsEndlessIsCutAtLast() {
        page.row(0, new int[] {10}, List.of("word ".repeat(100)));
        List<String> lines = out.toString().lines().toList();
        assertEquals(4, lines.size());
        assertTrue(lines.getLast().endsWith("…"));
        assertTrue(lines.stream().allMatch(line -> line.length() <= 10));
    }
}
