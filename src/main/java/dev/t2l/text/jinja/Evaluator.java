package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Values of expressions. */
final class Evaluator {
    private final Budget budget;
    private final Operators operators;

    Evaluator(Budget budget) {
        this.budget = budget;
        operators = new Operators(budget);
    }

    Object evaluate(Expression expression, Scope scope) {
        budget.enter();
        Object value = switch (expression) {
            case Expression.Literal e -> e.value();
            case Expression.Name e -> scope.get(e.name());
            case Expression.Items e -> items(e, scope);
            case Expression.Dictionary e -> dictionary(e, scope);
            case Expression.Attribute e -> at(e.line(), () -> Attributes.attribute(evaluate(e.object(), scope), e.name()));
            case Expression.Item e -> at(e.line(), () -> Attributes.item(evaluate(e.object(), scope), evaluate(e.index(), scope)));
            case Expression.Slice e -> at(e.line(), () -> Attributes.slice(evaluate(e.object(), scope), orNull(e.start(), scope), orNull(e.stop(), scope), orNull(e.step(), scope)));
            case Expression.Call e -> at(e.line(), () -> call(evaluate(e.function(), scope), arguments(name(e.function()), e.arguments(), scope)));
            case Expression.Filter e -> at(e.line(), () -> Filters.apply(e.name(), evaluate(e.operand(), scope), arguments(e.name(), e.arguments(), scope)));
            case Expression.Test e -> at(e.line(), () -> Tests.passes(e.name(), evaluate(e.operand(), scope), arguments(e.name(), e.arguments(), scope)));
            case Expression.Sign e -> at(e.line(), () -> Operators.sign(e.negative(), evaluate(e.operand(), scope)));
            case Expression.Binary e -> at(e.line(), () -> operators.binary(e.operator(), evaluate(e.left(), scope), evaluate(e.right(), scope)));
            case Expression.Comparison e -> at(e.line(), () -> compare(e, scope));
            case Expression.Concatenation e -> concatenate(e, scope);
            case Expression.And e -> {
                Object left = evaluate(e.left(), scope);
                yield Values.truth(left) ? evaluate(e.right(), scope) : left;
            }
            case Expression.Or e -> {
                Object left = evaluate(e.left(), scope);
                yield Values.truth(left) ? left : evaluate(e.right(), scope);
            }
            case Expression.Not e -> !Values.truth(evaluate(e.operand(), scope));
            case Expression.Conditional e -> conditional(e, scope);
        };
        budget.leave();
        return value;
    }

    private interface Step {
        Object value();
    }

    /** Gives an error the line at which it happened, unless it has one. */
    private static Object at(int line, Step step) {
        try {
            return step.value();
        } catch (TemplateException e) {
            if (e.isRefusal() || e.getMessage().startsWith("chat template, line ")) {
                throw e;
            }
            throw TemplateException.at(line, e.getMessage());
        }
    }

    private Object orNull(Expression expression, Scope scope) {
        return expression == null ? null : evaluate(expression, scope);
    }

    private Object items(Expression.Items items, Scope scope) {
        List<Object> elements = new ArrayList<>(items.elements().size());
        for (Expression element : items.elements()) {
            elements.add(evaluate(element, scope));
        }
        return items.tuple() ? new Tuple(elements) : elements;
    }

    private Object dictionary(Expression.Dictionary dictionary, Scope scope) {
        Map<Object, Object> map = new LinkedHashMap<>();
        for (int i = 0; i < dictionary.keys().size(); i++) {
            map.put(SequenceFilters.hashable(evaluate(dictionary.keys().get(i), scope)), evaluate(dictionary.values().get(i), scope));
        }
        return map;
    }

    private boolean compare(Expression.Comparison comparison, Scope scope) {
        Object left = evaluate(comparison.first(), scope);
        for (int i = 0; i < comparison.operators().size(); i++) {
            Object right = evaluate(comparison.operands().get(i), scope);
            if (!Operators.compare(comparison.operators().get(i), left, right)) {
                return false;
            }
            left = right;
        }
        return true;
    }

    private Text concatenate(Expression.Concatenation concatenation, Scope scope) {
        Text.Builder out = new Text.Builder();
        for (Expression part : concatenation.parts()) {
            out.append(Printing.str(evaluate(part, scope)));
        }
        budget.characters(out.length());
        return out.build();
    }

    private Object conditional(Expression.Conditional conditional, Scope scope) {
        if (Values.truth(evaluate(conditional.condition(), scope))) {
            return evaluate(conditional.then(), scope);
        }
        return conditional.otherwise() == null ? new Undefined("the inline if-expression evaluated to false and no else section was defined") : evaluate(conditional.otherwise(), scope);
    }

    CallArguments arguments(String what, Expression.Arguments arguments, Scope scope) {
        List<Object> positional = new ArrayList<>(arguments.positional().size());
        for (Expression argument : arguments.positional()) {
            positional.add(evaluate(argument, scope));
        }
        Map<String, Object> named = new LinkedHashMap<>();
        arguments.named().forEach((name, argument) -> named.put(name, evaluate(argument, scope)));
        return new CallArguments(what, positional, named);
    }

    static String name(Expression function) {
        return switch (function) {
            case Expression.Name e -> e.name();
            case Expression.Attribute e -> e.name();
            default -> "call";
        };
    }

    static Object call(Object function, CallArguments arguments) {
        if (Values.defined(function) instanceof Callable callable) {
            Object result = callable.call(arguments);
            if (result instanceof Text text) {
                Budget.charge(text.length());
            }
            return result;
        }
        throw TemplateException.of("'" + Values.typeName(function) + "' object is not callable");
    }
}
