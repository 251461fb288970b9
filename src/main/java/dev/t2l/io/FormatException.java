package dev.t2l.io;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A file that is not what its format demands. The message names the file, the place in it, and the cause. */
public final class FormatException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /**
     * @param file  the file
     * @param place where in it: {@code "byte 24"}, {@code "tensor 'a'"}, {@code "key 'general.alignment'"}
     * @param cause what was wanted and what was found
     */
    public FormatException(Path file, String place, String cause) {
        super(file + ": " + place + ": " + cause);
    }

    public FormatException(Path file, String place, String cause, Throwable reason) {
        super(file + ": " + place + ": " + cause, reason);
    }

    /** A value of a YAML or JSON document as a message names it. */
    public static String inWords(Object value) {
        return switch (value) {
            case null -> "nothing";
            case Map<?, ?> map -> "a map of " + map.size();
            case List<?> list -> "a list of " + list.size();
            default -> "'" + value + "'";
        };
    }
}
