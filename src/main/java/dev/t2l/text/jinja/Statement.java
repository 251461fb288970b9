package dev.t2l.text.jinja;

import java.util.List;

/** Statements of a template. */
sealed interface Statement {
    record Data(Text text) implements Statement {
    }

    record Output(Expression value, int line) implements Statement {
    }

    record Branch(Expression condition, List<Statement> body) {
    }

    record If(List<Branch> branches, List<Statement> otherwise) implements Statement {
    }

    /** {@code filter} is null where it is left out. */
    record For(Target target, Expression iterable, Expression filter, boolean recursive, List<Statement> body, List<Statement> otherwise, int line) implements Statement {
    }

    record Set(Target target, Expression value, int line) implements Statement {
    }

    record SetBlock(Target target, List<FilterStep> filters, List<Statement> body, int line) implements Statement {
    }

    record Macro(String name, Signature signature, List<Statement> body) implements Statement {
    }

    record CallBlock(Signature signature, Expression.Call call, List<Statement> body) implements Statement {
    }

    record FilterBlock(List<FilterStep> filters, List<Statement> body) implements Statement {
    }

    record With(List<Target> targets, List<Expression> values, List<Statement> body, int line) implements Statement {
    }

    /** {@code {% generation %}}: what it holds, rendered as it is. */
    record Scoped(List<Statement> body) implements Statement {
    }

    record Break() implements Statement {
    }

    record Continue() implements Statement {
    }

    /** A filter of a block. */
    record FilterStep(String name, Expression.Arguments arguments, int line) {
    }

    /** Parameters of a macro; a default is null where there is none. */
    record Signature(List<String> names, List<Expression> defaults) {
    }

    /** What an assignment binds. */
    sealed interface Target {
        record Variable(String name) implements Target {
        }

        /** {@code namespace.name}. */
        record Member(String namespace, String name) implements Target {
        }

        record Several(List<Target> targets) implements Target {
        }
    }
}
