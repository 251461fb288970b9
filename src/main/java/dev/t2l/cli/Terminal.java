package dev.t2l.cli;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;

/** What standard error is connected to; {@link java.io.Console} knows only standard input and output. */
final class Terminal {
    private static final int STANDARD_ERROR = 2;

    private Terminal() {
    }

    /** Whether a person sees standard error: {@code isatty(2)} of the C library, false where there is none. */
    static boolean isStandardError() {
        Linker linker = Linker.nativeLinker();
        return linker.defaultLookup().find("isatty").map(function -> {
            var isatty = linker.downcallHandle(function, FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
            try {
                return (int) isatty.invokeExact(STANDARD_ERROR) == 1;
            } catch (Throwable e) {
                throw new AssertionError("isatty", e);
            }
        }).orElse(false);
    }
}
