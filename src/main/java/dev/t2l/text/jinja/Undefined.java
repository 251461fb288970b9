package dev.t2l.text.jinja;

/**
 * What a name or attribute that does not exist evaluates to: prints as nothing, is false and empty, and fails at anything else.
 *
 * @param cause what does not exist: {@code "'tools' is undefined"}
 */
record Undefined(String cause) {
    @Override
    public boolean equals(Object other) {
        return other instanceof Undefined;
    }

    @Override
    public int hashCode() {
        return 1;
    }
}
