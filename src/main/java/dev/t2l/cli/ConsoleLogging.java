package dev.t2l.cli;

import java.io.PrintWriter;
import java.util.logging.Formatter;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/** Log records as plain lines on standard error: warnings always, the library's own news if asked for. */
final class ConsoleLogging extends Handler {
    private static final Logger ROOT = Logger.getLogger("");
    private static final Logger LIBRARY = Logger.getLogger("dev.t2l"); // held: unreferenced loggers lose their level

    private final PrintWriter err;

    private ConsoleLogging(PrintWriter err) {
        this.err = err;
        setFormatter(new Line());
    }

    /** Replaces the handlers of java.util.logging, to which System.Logger and the tokenizers' SLF4J lead. */
    static void configure(PrintWriter err, boolean verbose) {
        LogManager.getLogManager().reset();
        ROOT.setLevel(Level.WARNING);
        ROOT.addHandler(new ConsoleLogging(err));
        LIBRARY.setLevel(verbose ? Level.INFO : Level.WARNING);
    }

    @Override
    public void publish(LogRecord record) {
        if (isLoggable(record)) {
            err.println(getFormatter().format(record));
        }
    }

    @Override
    public void flush() {
        err.flush();
    }

    @Override
    public void close() {
        flush();
    }

    private static final class Line extends Formatter {
        @Override
        public String format(LogRecord record) {
            String level = record.getLevel().intValue() >= Level.SEVERE.intValue() ? "error: "
                    : record.getLevel().intValue() >= Level.WARNING.intValue() ? "warning: " : "";
            String cause = record.getThrown() == null ? "" : ": " + FailureMessage.of(record.getThrown());
            return level + formatMessage(record) + cause;
        }
    }
}
