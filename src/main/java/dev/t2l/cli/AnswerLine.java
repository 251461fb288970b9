package dev.t2l.cli;

import java.util.function.Consumer;

/** An answer that appears while it is generated, in lines that fit the page. The line begins with the first piece. */
final class AnswerLine implements Consumer<String>, AutoCloseable {
    private final Page page;
    private final String label;
    private int column;

    AnswerLine(Page page, String label) {
        this.page = page;
        this.label = label;
    }

    @Override
    public void accept(String piece) {
        for (String part : Page.harmless(piece).split("(?<=\\s)|(?=\\s)")) {
            put(part);
        }
        page.out().flush();
    }

    private void put(String part) {
        if (column == 0) {
            page.out().print(label);
            column = label.length();
        }
        if (part.contains("\n") || column + part.stripTrailing().length() > page.width()) {
            page.out().println();
            page.out().print(" ".repeat(label.length()));
            column = label.length();
        }
        String shown = column == label.length() ? part.strip() : part.replace("\n", "");
        page.out().print(shown);
        column += shown.length();
    }

    @Override
    public void close() {
        if (column == 0) {
            page.out().print(label + "(nothing)");
        }
        page.out().println();
    }
}
