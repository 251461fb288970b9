package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.ArrayList;
import java.util.List;

/** Arithmetic as Python does it, on 64-bit integers that refuse to overflow. */
final class Operators {
    private static final int MAX_ELEMENTS = 1_000_000;

    private final Budget budget;

    Operators(Budget budget) {
        this.budget = budget;
    }

    Object binary(String operator, Object left, Object right) {
        Values.defined(left);
        Values.defined(right);
        try {
            return switch (operator) {
                case "+" -> add(left, right);
                case "*" -> multiply(left, right);
                case "%" -> left instanceof Text format ? Printf.format(format, right) : arithmetic(operator, left, right);
                default -> arithmetic(operator, left, right);
            };
        } catch (ArithmeticException e) {
            throw TemplateException.of("'" + operator + "': " + e.getMessage());
        }
    }

    private Object add(Object left, Object right) {
        if (left instanceof Text a && right instanceof Text b) {
            budget.characters((long) a.length() + b.length());
            return a.concat(b);
        }
        if (left instanceof List<?> a && right instanceof List<?> b && left instanceof Tuple == right instanceof Tuple) {
            List<Object> both = sized((long) a.size() + b.size());
            both.addAll(a);
            both.addAll(b);
            return left instanceof Tuple ? new Tuple(both) : both;
        }
        return arithmetic("+", left, right);
    }

    private Object multiply(Object left, Object right) {
        boolean repeats = left instanceof Text || left instanceof List<?> || right instanceof Text || right instanceof List<?>;
        if (!repeats) {
            return arithmetic("*", left, right);
        }
        Object sequence = left instanceof Text || left instanceof List<?> ? left : right;
        long times = Math.max(0, Values.integer(sequence == left ? right : left, "'*'"));
        if (sequence instanceof Text text) {
            if (text.isEmpty()) {
                return text;
            }
            budget.characters(Math.multiplyExact(times, (long) text.length()));
            Text.Builder out = new Text.Builder();
            for (long i = 0; i < times; i++) {
                out.append(text);
            }
            return out.build();
        }
        List<?> list = (List<?>) sequence;
        List<Object> many = sized(Math.multiplyExact(times, (long) list.size()));
        for (long i = 0; i < times && !list.isEmpty(); i++) {
            many.addAll(list);
        }
        return sequence instanceof Tuple ? new Tuple(many) : many;
    }

    private List<Object> sized(long size) {
        if (size > MAX_ELEMENTS) {
            throw TemplateException.of("a list of " + size + " elements; at most " + MAX_ELEMENTS + " are allowed");
        }
        budget.spend(size);
        return new ArrayList<>((int) size);
    }

    private static Object arithmetic(String operator, Object left, Object right) {
        if (!Values.isNumber(left) || !Values.isNumber(right)) {
            throw TemplateException.of("unsupported operand type(s) for " + operator + ": '" + Values.typeName(left) + "' and '" + Values.typeName(right) + "'");
        }
        if (left instanceof Double || right instanceof Double || operator.equals("/")) {
            return real(operator, Values.real(left, operator), Values.real(right, operator));
        }
        long a = Values.integer(left, operator);
        long b = Values.integer(right, operator);
        return switch (operator) {
            case "+" -> Math.addExact(a, b);
            case "-" -> Math.subtractExact(a, b);
            case "*" -> Math.multiplyExact(a, b);
            case "//" -> Math.floorDivExact(a, b);
            case "%" -> Math.floorMod(a, b);
            case "**" -> power(a, b);
            default -> throw TemplateException.of("unknown operator " + operator);
        };
    }

    private static Object power(long base, long exponent) {
        if (exponent < 0) {
            return real("**", base, exponent);
        }
        if (base == 0 || base == 1) {
            return exponent == 0 ? 1L : base;
        }
        if (base == -1) {
            return exponent % 2 == 0 ? 1L : -1L;
        }
        long result = 1;
        for (long i = 0; i < exponent; i++) {
            result = Math.multiplyExact(result, base);
        }
        return result;
    }

    private static Object real(String operator, double a, double b) {
        if (b == 0 && List.of("/", "//", "%").contains(operator)) {
            throw new ArithmeticException("division by zero");
        }
        return switch (operator) {
            case "+" -> a + b;
            case "-" -> a - b;
            case "*" -> a * b;
            case "/" -> a / b;
            case "//" -> Math.floor(a / b);
            case "%" -> a - b * Math.floor(a / b);
            case "**" -> Math.pow(a, b);
            default -> throw TemplateException.of("unknown operator " + operator);
        };
    }

    static Object sign(boolean negative, Object value) {
        return switch (Values.defined(value)) {
            case Long n -> {
                if (negative && n == Long.MIN_VALUE) {
                    throw TemplateException.of("'-': integer overflow");
                }
                yield negative ? -n : n;
            }
            case Boolean b -> (b ? 1L : 0L) * (negative ? -1 : 1);
            case Double x -> negative ? -x : x;
            case null, default -> throw TemplateException.of("bad operand type for unary " + (negative ? "-" : "+") + ": '" + Values.typeName(value) + "'");
        };
    }

    static boolean compare(String operator, Object left, Object right) {
        return switch (operator) {
            case "==" -> Values.equal(left, right);
            case "!=" -> !Values.equal(left, right);
            case "<" -> Values.compare(left, right, operator) < 0;
            case "<=" -> Values.compare(left, right, operator) <= 0;
            case ">" -> Values.compare(left, right, operator) > 0;
            case ">=" -> Values.compare(left, right, operator) >= 0;
            case "in" -> Values.contains(right, left);
            case "not in" -> !Values.contains(right, left);
            default -> throw TemplateException.of("unknown operator " + operator);
        };
    }
}
