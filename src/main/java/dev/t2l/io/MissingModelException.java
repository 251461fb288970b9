package dev.t2l.io;

import java.io.IOException;
import java.io.UncheckedIOException;

/** A model's file that could neither be found nor fetched; the message says where it was looked for, and where to put it. */
public final class MissingModelException extends UncheckedIOException {
    private static final long serialVersionUID = 1;

    MissingModelException(IOException cause) {
        super(cause.getMessage(), cause);
    }
}
