package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Runs statements. One rendering by one thread. */
final class Interpreter {
    /** How a list of statements ended. */
    private enum Ending { NORMAL, BREAK, CONTINUE }

    private final Budget budget;
    private final Evaluator evaluator;

    Interpreter(Budget budget) {
        this.budget = budget;
        evaluator = new Evaluator(budget);
    }

    Text run(List<Statement> body, Scope scope) {
        Text.Builder out = new Text.Builder();
        run(body, scope, out);
        return out.build();
    }

    private Ending run(List<Statement> body, Scope scope, Text.Builder out) {
        budget.enter();
        Ending ending = Ending.NORMAL;
        for (int i = 0; i < body.size() && ending == Ending.NORMAL; i++) {
            budget.spend(1);
            ending = run(body.get(i), scope, out);
            budget.output(out.length());
        }
        budget.leave();
        return ending;
    }

    private Ending run(Statement statement, Scope scope, Text.Builder out) {
        switch (statement) {
            case Statement.Data s -> out.append(s.text());
            case Statement.Output s -> out.append(Printing.str(evaluator.evaluate(s.value(), scope)));
            case Statement.If s -> {
                return branch(s, scope, out);
            }
            case Statement.For s -> out.append(loop(s, evaluator.evaluate(s.iterable(), scope), scope, 0));
            case Statement.Set s -> assign(s.target(), evaluator.evaluate(s.value(), scope), scope, s.line());
            case Statement.SetBlock s -> assign(s.target(), filtered(s.filters(), run(s.body(), new Scope(scope)), scope), scope, s.line());
            case Statement.Macro s -> scope.set(s.name(), macro(s.name(), s.signature(), s.body(), scope));
            case Statement.CallBlock s -> out.append(callBlock(s, scope));
            case Statement.FilterBlock s -> out.append(Printing.str(filtered(s.filters(), run(s.body(), new Scope(scope)), scope)));
            case Statement.With s -> {
                return with(s, scope, out);
            }
            case Statement.Scoped s -> {
                return run(s.body(), scope, out);
            }
            case Statement.Break s -> {
                return Ending.BREAK;
            }
            case Statement.Continue s -> {
                return Ending.CONTINUE;
            }
        }
        return Ending.NORMAL;
    }

    private Ending branch(Statement.If statement, Scope scope, Text.Builder out) {
        for (Statement.Branch branch : statement.branches()) {
            if (Values.truth(evaluator.evaluate(branch.condition(), scope))) {
                return run(branch.body(), scope, out);
            }
        }
        return run(statement.otherwise(), scope, out);
    }

    private Text loop(Statement.For loop, Object iterable, Scope scope, int depth) {
        List<Object> items = items(loop, iterable, scope);
        Loop state = new Loop(items, depth, loop.recursive() ? (inner, innerDepth) -> loop(loop, inner, scope, innerDepth) : null);
        Text.Builder out = new Text.Builder();
        if (items.isEmpty()) {
            run(loop.otherwise(), new Scope(scope), out);
        }
        for (int i = 0; i < items.size(); i++) {
            state.moveTo(i);
            Scope turn = new Scope(scope);
            turn.set("loop", state);
            assign(loop.target(), items.get(i), turn, loop.line());
            if (run(loop.body(), turn, out) == Ending.BREAK) {
                break;
            }
        }
        return out.build();
    }

    private List<Object> items(Statement.For loop, Object iterable, Scope scope) {
        List<Object> all;
        try {
            all = Values.iterate(iterable);
        } catch (TemplateException e) {
            throw TemplateException.at(loop.line(), e.getMessage());
        }
        budget.spend(all.size());
        if (loop.filter() == null) {
            return all;
        }
        List<Object> chosen = new ArrayList<>();
        for (Object item : all) {
            Scope turn = new Scope(scope);
            assign(loop.target(), item, turn, loop.line());
            if (Values.truth(evaluator.evaluate(loop.filter(), turn))) {
                chosen.add(item);
            }
        }
        return chosen;
    }

    private void assign(Statement.Target target, Object value, Scope scope, int line) {
        switch (target) {
            case Statement.Target.Variable t -> scope.set(t.name(), value);
            case Statement.Target.Member t -> {
                if (!(scope.get(t.namespace()) instanceof Namespace namespace)) {
                    throw TemplateException.at(line, "cannot set an attribute of '" + t.namespace() + "': it is no namespace");
                }
                namespace.attributes.put(t.name(), value);
            }
            case Statement.Target.Several t -> {
                List<Object> values;
                try {
                    values = Values.iterate(Values.defined(value));
                } catch (TemplateException e) {
                    throw TemplateException.at(line, e.getMessage());
                }
                if (values.size() != t.targets().size()) {
                    throw TemplateException.at(line, "wanted " + t.targets().size() + " values to unpack, found " + values.size());
                }
                for (int i = 0; i < values.size(); i++) {
                    assign(t.targets().get(i), values.get(i), scope, line);
                }
            }
        }
    }

    private Object filtered(List<Statement.FilterStep> filters, Text text, Scope scope) {
        budget.characters(text.length());
        Object value = text;
        for (Statement.FilterStep step : filters) {
            value = Filters.apply(step.name(), value, evaluator.arguments(step.name(), step.arguments(), scope));
        }
        return value;
    }

    private Ending with(Statement.With with, Scope scope, Text.Builder out) {
        Scope inner = new Scope(scope);
        for (int i = 0; i < with.targets().size(); i++) {
            assign(with.targets().get(i), evaluator.evaluate(with.values().get(i), scope), inner, with.line());
        }
        return run(with.body(), inner, out);
    }

    private Callable macro(String name, Statement.Signature signature, List<Statement> body, Scope scope) {
        return arguments -> {
            int known = signature.names().size();
            Map<String, Object> named = new LinkedHashMap<>(arguments.named());
            Object caller = named.remove("caller");
            Scope inner = new Scope(scope);
            inner.set("caller", caller == null ? new Undefined("'caller' is undefined") : caller);
            new CallArguments(name, arguments.positional(), named).accepting(known, signature.names().toArray(String[]::new));
            for (int i = 0; i < known; i++) {
                String parameter = signature.names().get(i);
                Object value = arguments.get(i, parameter, CallArguments.ABSENT);
                if (value == CallArguments.ABSENT) {
                    Expression otherwise = signature.defaults().get(i);
                    value = otherwise == null ? new Undefined("parameter '" + parameter + "' was not provided") : evaluator.evaluate(otherwise, inner);
                }
                inner.set(parameter, value);
            }
            return run(body, inner);
        };
    }

    private Text callBlock(Statement.CallBlock block, Scope scope) {
        Expression.Call call = block.call();
        CallArguments given = evaluator.arguments(Evaluator.name(call.function()), call.arguments(), scope);
        Map<String, Object> named = new LinkedHashMap<>(given.named());
        named.put("caller", macro("caller", block.signature(), block.body(), scope));
        return Printing.str(Evaluator.call(evaluator.evaluate(call.function(), scope), new CallArguments(given.what(), given.positional(), named)));
    }
}
