package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Recursive descent over jinja2's expression grammar, one method a level of precedence. */
final class ExpressionParser {
    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");
    private static final Set<String> NOT_AN_ARGUMENT = Set.of("else", "or", "and", "is", "if", "in", "not");

    private final TokenStream in;

    ExpressionParser(TokenStream in) {
        this.in = in;
    }

    /** An expression, or several with commas between as a tuple. */
    Expression tuple() {
        Expression first = expression();
        if (!in.current().isOperator(",")) {
            return first;
        }
        List<Expression> elements = new ArrayList<>(List.of(first));
        while (in.skipOperator(",")) {
            if (!startsExpression()) {
                break;
            }
            elements.add(expression());
        }
        return new Expression.Items(elements, true);
    }

    private boolean startsExpression() {
        Token token = in.current();
        return switch (token.kind()) {
            case BLOCK_END, VARIABLE_END, END -> false;
            case OPERATOR -> !Set.of(")", "]", "}", "=", ":").contains(token.text());
            default -> true;
        };
    }

    Expression expression() {
        in.enter();
        Expression value = or();
        while (in.skipName("if")) {
            Expression condition = or();
            Expression otherwise = in.skipName("else") ? expression() : null;
            value = new Expression.Conditional(condition, value, otherwise);
        }
        in.leave();
        return value;
    }

    /** An expression that a following {@code if} does not belong to. */
    Expression unconditional() {
        return or();
    }

    private Expression or() {
        Expression left = and();
        while (in.skipName("or")) {
            left = new Expression.Or(left, and());
        }
        return left;
    }

    private Expression and() {
        Expression left = not();
        while (in.skipName("and")) {
            left = new Expression.And(left, not());
        }
        return left;
    }

    private Expression not() {
        if (!in.skipName("not")) {
            return comparison();
        }
        in.enter();
        Expression negated = new Expression.Not(not());
        in.leave();
        return negated;
    }

    private Expression comparison() {
        int line = in.line();
        Expression first = sum();
        List<String> operators = new ArrayList<>();
        List<Expression> operands = new ArrayList<>();
        while (true) {
            Token token = in.current();
            if (token.kind() == Token.Kind.OPERATOR && COMPARISONS.contains(token.text())) {
                operators.add(in.next().text());
            } else if (in.skipName("in")) {
                operators.add("in");
            } else if (token.isName("not") && in.ahead().isName("in")) {
                in.next();
                in.next();
                operators.add("not in");
            } else {
                break;
            }
            operands.add(sum());
        }
        return operators.isEmpty() ? first : new Expression.Comparison(first, operators, operands, line);
    }

    private Expression sum() {
        Expression left = concatenation();
        while (in.current().isOperator("+") || in.current().isOperator("-")) {
            Token operator = in.next();
            left = new Expression.Binary(operator.text(), left, concatenation(), operator.line());
        }
        return left;
    }

    private Expression concatenation() {
        Expression first = product();
        if (!in.current().isOperator("~")) {
            return first;
        }
        List<Expression> parts = new ArrayList<>(List.of(first));
        while (in.skipOperator("~")) {
            parts.add(product());
        }
        return new Expression.Concatenation(parts);
    }

    private Expression product() {
        Expression left = power();
        while (in.current().kind() == Token.Kind.OPERATOR && Set.of("*", "/", "//", "%").contains(in.current().text())) {
            Token operator = in.next();
            left = new Expression.Binary(operator.text(), left, power(), operator.line());
        }
        return left;
    }

    private Expression power() {
        Expression left = unary(true);
        while (in.current().isOperator("**")) {
            Token operator = in.next();
            left = new Expression.Binary("**", left, unary(true), operator.line());
        }
        return left;
    }

    private Expression unary(boolean withFilters) {
        Expression value;
        Token token = in.current();
        if (token.isOperator("-") || token.isOperator("+")) {
            in.next();
            in.enter();
            value = new Expression.Sign(token.text().equals("-"), unary(false), token.line());
            in.leave();
        } else {
            value = primary();
        }
        value = postfix(value);
        return withFilters ? filters(value) : value;
    }

    private Expression primary() {
        Token token = in.next();
        return switch (token.kind()) {
            case NAME -> name(token);
            case STRING -> strings(token);
            case INTEGER, FLOAT -> new Expression.Literal(token.value());
            case OPERATOR -> switch (token.text()) {
                case "(" -> parenthesised();
                case "[" -> new Expression.Items(elements("]"), false);
                case "{" -> dictionary(token.line());
                default -> throw TemplateException.at(token.line(), "wanted an expression, found " + token.describe());
            };
            default -> throw TemplateException.at(token.line(), "wanted an expression, found " + token.describe());
        };
    }

    private static Expression name(Token token) {
        return switch (token.text()) {
            case "true", "True" -> new Expression.Literal(true);
            case "false", "False" -> new Expression.Literal(false);
            case "none", "None" -> new Expression.Literal(null);
            default -> new Expression.Name(token.text(), token.line());
        };
    }

    private Expression strings(Token first) {
        StringBuilder text = new StringBuilder(first.text());
        while (in.current().kind() == Token.Kind.STRING) {
            text.append(in.next().text());
        }
        return new Expression.Literal(Text.template(text.toString()));
    }

    private Expression parenthesised() {
        if (in.skipOperator(")")) {
            return new Expression.Items(List.of(), true);
        }
        Expression value = tuple();
        in.expectOperator(")");
        return value;
    }

    private List<Expression> elements(String closing) {
        List<Expression> elements = new ArrayList<>();
        while (!in.skipOperator(closing)) {
            if (!elements.isEmpty()) {
                in.expectOperator(",");
                if (in.skipOperator(closing)) {
                    break;
                }
            }
            elements.add(expression());
        }
        return elements;
    }

    private Expression dictionary(int line) {
        List<Expression> keys = new ArrayList<>();
        List<Expression> values = new ArrayList<>();
        while (!in.skipOperator("}")) {
            if (!keys.isEmpty()) {
                in.expectOperator(",");
                if (in.skipOperator("}")) {
                    break;
                }
            }
            keys.add(expression());
            in.expectOperator(":");
            values.add(expression());
        }
        return new Expression.Dictionary(keys, values, line);
    }

    private Expression postfix(Expression start) {
        Expression value = start;
        while (true) {
            int line = in.line();
            if (in.skipOperator(".")) {
                value = in.current().kind() == Token.Kind.INTEGER ? new Expression.Item(value, new Expression.Literal(in.next().value()), line)
                        : new Expression.Attribute(value, in.identifier(), line);
            } else if (in.skipOperator("[")) {
                value = subscript(value, line);
            } else if (in.current().isOperator("(")) {
                value = new Expression.Call(value, arguments(), line);
            } else {
                return value;
            }
        }
    }

    private Expression subscript(Expression object, int line) {
        Expression start = in.current().isOperator(":") ? null : tuple();
        if (!in.current().isOperator(":")) {
            in.expectOperator("]");
            return new Expression.Item(object, start, line);
        }
        in.expectOperator(":");
        Expression stop = endsBound() ? null : expression();
        Expression step = in.skipOperator(":") && !endsBound() ? expression() : null;
        in.expectOperator("]");
        return new Expression.Slice(object, start, stop, step, line);
    }

    private boolean endsBound() {
        return in.current().isOperator(":") || in.current().isOperator("]");
    }

    Expression.Arguments arguments() {
        in.expectOperator("(");
        List<Expression> positional = new ArrayList<>();
        Map<String, Expression> named = new LinkedHashMap<>();
        while (!in.skipOperator(")")) {
            if (!positional.isEmpty() || !named.isEmpty()) {
                in.expectOperator(",");
                if (in.skipOperator(")")) {
                    break;
                }
            }
            if (in.current().isOperator("*") || in.current().isOperator("**")) {
                throw in.unexpected("an argument (unpacking with * is not supported)");
            }
            if (in.current().kind() == Token.Kind.NAME && in.ahead().isOperator("=")) {
                String name = in.identifier();
                in.next();
                named.put(name, expression());
            } else if (named.isEmpty()) {
                positional.add(expression());
            } else {
                throw in.unexpected("a named argument after a named argument");
            }
        }
        return new Expression.Arguments(positional, named);
    }

    private Expression filters(Expression start) {
        Expression value = start;
        while (true) {
            int line = in.line();
            if (in.skipOperator("|")) {
                Statement.FilterStep step = filterStep(line);
                value = new Expression.Filter(value, step.name(), step.arguments(), line);
            } else if (in.skipName("is")) {
                value = test(value, line);
            } else if (in.current().isOperator("(")) {
                value = new Expression.Call(value, arguments(), line);
            } else {
                return value;
            }
        }
    }

    /** A filter's name and arguments; an unknown name is refused here. */
    Statement.FilterStep filterStep(int line) {
        String name = in.identifier();
        Filters.check(name, line);
        return new Statement.FilterStep(name, in.current().isOperator("(") ? arguments() : Expression.Arguments.NONE, line);
    }

    private Expression test(Expression operand, int line) {
        boolean negated = in.skipName("not");
        String name = in.identifier();
        Tests.check(name, line);
        Expression.Arguments arguments = Expression.Arguments.NONE;
        Token token = in.current();
        if (token.isOperator("(")) {
            arguments = arguments();
        } else if (startsArgument(token)) {
            arguments = new Expression.Arguments(List.of(postfix(primary())), Map.of());
        }
        Expression test = new Expression.Test(operand, name, arguments, line);
        return negated ? new Expression.Not(test) : test;
    }

    private static boolean startsArgument(Token token) {
        return switch (token.kind()) {
            case NAME -> !NOT_AN_ARGUMENT.contains(token.text());
            case STRING, INTEGER, FLOAT -> true;
            case OPERATOR -> token.text().equals("[") || token.text().equals("{");
            default -> false;
        };
    }
}
