package dev.t2l.cli;

import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;

/** A failure and its causes in one line. */
final class FailureMessage {
    private FailureMessage() {
    }

    /** What each exception of the cause chain says, outermost first, leaving out what an outer one already said. */
    static String of(Throwable failure) {
        List<String> parts = new ArrayList<>();
        var seen = Collections.newSetFromMap(new IdentityHashMap<Throwable, Boolean>());
        for (Throwable t = failure; t != null && seen.add(t); t = t.getCause()) {
            if (t.getCause() != null && (t.getMessage() == null || t.getMessage().equals(t.getCause().toString()))) {
                continue; // a wrapper without a message of its own
            }
            String message = inOneLine(t.getMessage());
            String part = one(t, message);
            if (parts.stream().noneMatch(p -> p.contains(part) || message != null && p.equals(message))) {
                parts.add(part);
            }
        }
        return String.join(": ", parts);
    }

    private static String inOneLine(String message) {
        return message == null ? null : message.strip().replaceAll("\\s*\\R\\s*", "; ");
    }

    private static String one(Throwable t, String message) {
        return switch (t) {
            case NoSuchFileException _ -> "no such file or folder: " + message;
            case FileAlreadyExistsException _ -> "already there: " + message;
            case AccessDeniedException _ -> "access denied: " + message;
            case NotDirectoryException _ -> "not a folder: " + message;
            case OutOfMemoryError _ -> "out of memory (" + message + "); T2L_JAVA_OPTS=-Xmx... gives the heap more";
            default -> message == null || message.isEmpty() ? t.getClass().getSimpleName() : explained(t, message);
        };
    }

    /** Messages of the JDK such as "For input string" or a bare number say little without the exception's name. */
    private static String explained(Throwable t, String message) {
        boolean selfContained = t.getClass().getName().startsWith("dev.t2l.")
                || t.getClass() == IllegalArgumentException.class || t.getClass() == IllegalStateException.class;
        return selfContained ? message : t.getClass().getSimpleName() + ": " + message;
    }
}
