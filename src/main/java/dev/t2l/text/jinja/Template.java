package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.time.Clock;
import java.util.List;
import java.util.Map;

/**
 * A compiled template of the Jinja that model chat templates use, with the semantics of jinja2's immutable sandbox as transformers sets
 * it up. Immutable and thread-safe. What a rendering may use is bounded: nesting, steps, characters.
 */
public final class Template {
    private final List<Statement> body;

    private Template(List<Statement> body) {
        this.body = body;
    }

    /** @throws TemplateException for a syntax error or a construct that is not supported, with its line */
    public static Template compile(String source) {
        return new Template(Parser.parse(source));
    }

    /**
     * Renders.
     *
     * @param variables {@link Text} stays as it is; other strings, at any depth, are data
     * @param clock     the time of {@code strftime_now}
     * @throws TemplateException if an operation fails, a limit is exceeded or the template refuses
     */
    public Text render(Map<String, ?> variables, Clock clock) {
        Budget budget = new Budget();
        return ScopedValue.where(Budget.CURRENT, budget).call(() -> {
            Scope globals = new Scope(null);
            Functions.defineIn(globals, clock);
            variables.forEach((name, value) -> globals.set(name, Values.from(value)));
            try {
                return new Interpreter(budget).run(body, new Scope(globals));
            } catch (StackOverflowError e) {
                throw TemplateException.of("the chat template nests values too deep");
            }
        });
    }
}
