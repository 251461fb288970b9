package dev.t2l.text.jinja;

/**
 * @param kind  what it is
 * @param text  the characters of data, a name or an operator, the value of a string
 * @param value the number of INTEGER (Long) and FLOAT (Double)
 * @param line  where it starts, from 1
 */
record Token(Kind kind, String text, Object value, int line) {
    enum Kind { DATA, BLOCK_BEGIN, BLOCK_END, VARIABLE_BEGIN, VARIABLE_END, NAME, STRING, INTEGER, FLOAT, OPERATOR, END }

    boolean isOperator(String operator) {
        return kind == Kind.OPERATOR && text.equals(operator);
    }

    boolean isName(String name) {
        return kind == Kind.NAME && text.equals(name);
    }

    String describe() {
        return switch (kind) {
            case END -> "the end of the template";
            case BLOCK_END -> "'%}'";
            case VARIABLE_END -> "'}}'";
            case STRING -> "the string '" + text + "'";
            case INTEGER, FLOAT -> "the number " + value;
            default -> "'" + text + "'";
        };
    }
}
