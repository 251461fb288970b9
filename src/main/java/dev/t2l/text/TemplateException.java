package dev.t2l.text;

/**
 * A chat template that cannot be read or rendered: its syntax, a construct that is not supported, an operation that fails, a limit
 * that is exceeded, or the template's own refusal ({@code raise_exception}).
 */
public final class TemplateException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final boolean refusal;

    private TemplateException(String message, boolean refusal) {
        super(message);
        this.refusal = refusal;
    }

    public static TemplateException of(String message) {
        return new TemplateException(message, false);
    }

    public static TemplateException at(int line, String message) {
        return new TemplateException("chat template, line " + line + ": " + message, false);
    }

    /** The template called {@code raise_exception(message)}. */
    public static TemplateException refusal(String message) {
        return new TemplateException("the chat template refuses this conversation: " + message, true);
    }

    /** Whether the template itself refused what it was given, such as roles that do not alternate. */
    public boolean isRefusal() {
        return refusal;
    }
}
