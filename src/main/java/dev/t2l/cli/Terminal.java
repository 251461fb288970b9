package dev.t2l.cli;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;

/** What standard input, output and error are connected to; {@link java.io.Console} knows only the first two, and only together. */
final class Terminal {
    private static final int STANDARD_INPUT = 0;
    private static final int STANDARD_OUTPUT = 1;
    private static final int STANDARD_ERROR = 2;

    private Terminal() {
    }

    /** Whether a person sees standard error: {@code isatty(2)} of the C library, false where there is none. */
    static boolean isStandardError() {
        return is(STANDARD_ERROR);
    }

    /** Whether a person types what comes from standard input and sees standard output. */
    static boolean isConversation() {
        return is(STANDARD_INPUT) && is(STANDARD_OUTPUT);
    }

    static boolean isStandardOutput() {
        return is(STANDARD_OUTPUT);
    }

    private static boolean is(int descriptor) {
        Linker linker = Linker.nativeLinker();
        return linker.defaultLookup().find("isatty").map(function -> {
            var isatty = linker.downcallHandle(function, FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
            try {
                return (int) isatty.invokeExact(descriptor) == 1;
            } catch (Throwable e) {
                throw new AssertionError("isatty", e);
            }
        }).orElse(false);
    }
}
