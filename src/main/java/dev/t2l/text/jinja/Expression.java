package dev.t2l.text.jinja;

import java.util.List;
import java.util.Map;

/** Expressions of a template. {@code line} is where they stand, for messages. */
sealed interface Expression {
    record Literal(Object value) implements Expression {
    }

    record Name(String name, int line) implements Expression {
    }

    record Items(List<Expression> elements, boolean tuple) implements Expression {
    }

    record Dictionary(List<Expression> keys, List<Expression> values, int line) implements Expression {
    }

    record Attribute(Expression object, String name, int line) implements Expression {
    }

    record Item(Expression object, Expression index, int line) implements Expression {
    }

    /** Bounds are null where they are left out. */
    record Slice(Expression object, Expression start, Expression stop, Expression step, int line) implements Expression {
    }

    /** Arguments of a call, a filter or a test. */
    record Arguments(List<Expression> positional, Map<String, Expression> named) {
        static final Arguments NONE = new Arguments(List.of(), Map.of());
    }

    record Call(Expression function, Arguments arguments, int line) implements Expression {
    }

    record Filter(Expression operand, String name, Arguments arguments, int line) implements Expression {
    }

    record Test(Expression operand, String name, Arguments arguments, int line) implements Expression {
    }

    /** {@code +} or {@code -}. */
    record Sign(boolean negative, Expression operand, int line) implements Expression {
    }

    record Binary(String operator, Expression left, Expression right, int line) implements Expression {
    }

    /** {@code first operators[0] operands[0] operators[1] operands[1] ...}, as in Python. */
    record Comparison(Expression first, List<String> operators, List<Expression> operands, int line) implements Expression {
    }

    record Concatenation(List<Expression> parts) implements Expression {
    }

    record And(Expression left, Expression right) implements Expression {
    }

    record Or(Expression left, Expression right) implements Expression {
    }

    record Not(Expression operand) implements Expression {
    }

    /** {@code otherwise} is null where it is left out. */
    record Conditional(Expression condition, Expression then, Expression otherwise) implements Expression {
    }
}
