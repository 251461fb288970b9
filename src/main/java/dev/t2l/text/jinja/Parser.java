package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Statements, with one method a tag. */
final class Parser {
    private static final Set<String> NOT_SUPPORTED = Set.of("include", "import", "from", "extends", "block", "autoescape", "trans", "do", "debug");

    private final TokenStream in;
    private final ExpressionParser expressions;
    private int loops;

    private Parser(TokenStream in) {
        this.in = in;
        expressions = new ExpressionParser(in);
    }

    static List<Statement> parse(String template) {
        Parser parser = new Parser(new TokenStream(Lexer.tokens(template)));
        List<Statement> body = parser.body(Set.of());
        if (parser.in.current().kind() != Token.Kind.END) {
            throw parser.in.unexpected("a statement");
        }
        return body;
    }

    /** Statements up to a tag with one of these names, whose begin and name are then read. */
    private List<Statement> body(Set<String> ends) {
        in.enter();
        List<Statement> body = new ArrayList<>();
        while (in.current().kind() != Token.Kind.END) {
            Token token = in.next();
            if (token.kind() == Token.Kind.DATA) {
                body.add(new Statement.Data(Text.template(token.text())));
            } else if (token.kind() == Token.Kind.VARIABLE_BEGIN) {
                body.add(new Statement.Output(expressions.tuple(), token.line()));
                in.expect(Token.Kind.VARIABLE_END, "'}}'");
            } else {
                if (in.current().kind() == Token.Kind.NAME && ends.contains(in.current().text())) {
                    in.leave();
                    return body;
                }
                body.add(tag());
            }
        }
        if (!ends.isEmpty()) {
            throw in.unexpected("{% " + String.join(" %} or {% ", ends.stream().sorted().toList()) + " %}");
        }
        in.leave();
        return body;
    }

    private List<Statement> bodyTo(String end) {
        List<Statement> body = body(Set.of(end));
        in.expectName(end);
        endTag();
        return body;
    }

    private void endTag() {
        in.expect(Token.Kind.BLOCK_END, "'%}'");
    }

    private Statement tag() {
        Token name = in.expect(Token.Kind.NAME, "the name of a tag");
        return switch (name.text()) {
            case "if" -> ifTag();
            case "for" -> forTag(name.line());
            case "set" -> setTag(name.line());
            case "macro" -> macroTag();
            case "call" -> callTag();
            case "filter" -> filterTag();
            case "with" -> withTag(name.line());
            case "generation" -> {
                endTag();
                yield new Statement.Scoped(bodyTo("endgeneration"));
            }
            case "break" -> loopControl(name, new Statement.Break());
            case "continue" -> loopControl(name, new Statement.Continue());
            default -> throw TemplateException.at(name.line(), "tag '" + name.text() + "' is " + (NOT_SUPPORTED.contains(name.text()) ? "not supported in a chat template" : "unknown"));
        };
    }

    private Statement loopControl(Token name, Statement statement) {
        if (loops == 0) {
            throw TemplateException.at(name.line(), "'" + name.text() + "' outside a loop");
        }
        endTag();
        return statement;
    }

    private Statement ifTag() {
        List<Statement.Branch> branches = new ArrayList<>();
        List<Statement> otherwise = List.of();
        Expression condition = expressions.tuple();
        while (true) {
            endTag();
            branches.add(new Statement.Branch(condition, body(Set.of("elif", "else", "endif"))));
            if (in.skipName("elif")) {
                condition = expressions.tuple();
                continue;
            }
            if (in.skipName("else")) {
                endTag();
                otherwise = body(Set.of("endif"));
            }
            in.expectName("endif");
            endTag();
            return new Statement.If(branches, otherwise);
        }
    }

    private Statement forTag(int line) {
        Statement.Target target = targets();
        in.expectName("in");
        Expression iterable = expressions.unconditional();
        if (in.current().isOperator(",")) {
            List<Expression> elements = new ArrayList<>(List.of(iterable));
            while (in.skipOperator(",") && in.current().kind() != Token.Kind.BLOCK_END) {
                elements.add(expressions.unconditional());
            }
            iterable = new Expression.Items(elements, true);
        }
        Expression filter = in.skipName("if") ? expressions.expression() : null;
        boolean recursive = in.skipName("recursive");
        endTag();
        loops++;
        List<Statement> body = body(Set.of("else", "endfor"));
        loops--;
        List<Statement> otherwise = List.of();
        if (in.skipName("else")) {
            endTag();
            otherwise = body(Set.of("endfor"));
        }
        in.expectName("endfor");
        endTag();
        return new Statement.For(target, iterable, filter, recursive, body, otherwise, line);
    }

    private Statement.Target targets() {
        List<Statement.Target> targets = new ArrayList<>();
        boolean several = false;
        do {
            if (!targets.isEmpty() && in.current().kind() != Token.Kind.NAME && !in.current().isOperator("(")) {
                break;
            }
            targets.add(target());
            several |= in.current().isOperator(",");
        } while (in.skipOperator(","));
        return several ? new Statement.Target.Several(targets) : targets.get(0);
    }

    private Statement.Target target() {
        if (in.skipOperator("(")) {
            in.enter();
            Statement.Target inner = targets();
            in.expectOperator(")");
            in.leave();
            return inner;
        }
        int line = in.line();
        String name = in.identifier();
        if (Set.of("true", "false", "none", "True", "False", "None").contains(name)) {
            throw TemplateException.at(line, "cannot assign to '" + name + "'");
        }
        return in.skipOperator(".") ? new Statement.Target.Member(name, in.identifier()) : new Statement.Target.Variable(name);
    }

    private Statement setTag(int line) {
        Statement.Target target = targets();
        if (in.skipOperator("=")) {
            Expression value = expressions.tuple();
            endTag();
            return new Statement.Set(target, value, line);
        }
        List<Statement.FilterStep> filters = new ArrayList<>();
        while (in.skipOperator("|")) {
            filters.add(expressions.filterStep(in.line()));
        }
        endTag();
        return new Statement.SetBlock(target, filters, bodyTo("endset"), line);
    }

    private Statement.Signature signature() {
        List<String> names = new ArrayList<>();
        List<Expression> defaults = new ArrayList<>();
        in.expectOperator("(");
        while (!in.skipOperator(")")) {
            if (!names.isEmpty()) {
                in.expectOperator(",");
            }
            names.add(in.identifier());
            defaults.add(in.skipOperator("=") ? expressions.expression() : null);
        }
        return new Statement.Signature(names, defaults);
    }

    private Statement macroTag() {
        String name = in.identifier();
        Statement.Signature signature = signature();
        endTag();
        return new Statement.Macro(name, signature, outsideLoops("endmacro"));
    }

    private List<Statement> outsideLoops(String end) {
        int outer = loops;
        loops = 0;
        List<Statement> body = bodyTo(end);
        loops = outer;
        return body;
    }

    private Statement callTag() {
        Statement.Signature signature = in.current().isOperator("(") ? signature() : new Statement.Signature(List.of(), List.of());
        int line = in.line();
        if (!(expressions.expression() instanceof Expression.Call call)) {
            throw TemplateException.at(line, "wanted a call after 'call'");
        }
        endTag();
        return new Statement.CallBlock(signature, call, outsideLoops("endcall"));
    }

    private Statement filterTag() {
        List<Statement.FilterStep> filters = new ArrayList<>();
        do {
            filters.add(expressions.filterStep(in.line()));
        } while (in.skipOperator("|"));
        endTag();
        return new Statement.FilterBlock(filters, bodyTo("endfilter"));
    }

    private Statement withTag(int line) {
        List<Statement.Target> targets = new ArrayList<>();
        List<Expression> values = new ArrayList<>();
        while (in.current().kind() != Token.Kind.BLOCK_END) {
            if (!targets.isEmpty()) {
                in.expectOperator(",");
            }
            targets.add(target());
            in.expectOperator("=");
            values.add(expressions.expression());
        }
        endTag();
        return new Statement.With(targets, values, bodyTo("endwith"), line);
    }
}
