package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.util.List;
import java.util.function.BiFunction;

/** The {@code loop} variable. */
final class Loop implements Callable {
    private final List<Object> items;
    private final int depth;
    private final BiFunction<Object, Integer, Object> recursion;
    private List<Object> lastChanged;
    private int index;

    /** @param recursion renders the loop's body over other items at a depth; null unless the loop is recursive */
    Loop(List<Object> items, int depth, BiFunction<Object, Integer, Object> recursion) {
        this.items = items;
        this.depth = depth;
        this.recursion = recursion;
    }

    void moveTo(int place) {
        index = place;
    }

    /** An attribute, or null if there is none of the name. */
    Object attribute(String name) {
        int left = items.size() - index;
        return switch (name) {
            case "index" -> index + 1L;
            case "index0" -> (long) index;
            case "revindex" -> (long) left;
            case "revindex0" -> left - 1L;
            case "first" -> index == 0;
            case "last" -> left == 1;
            case "length" -> (long) items.size();
            case "depth" -> depth + 1L;
            case "depth0" -> (long) depth;
            case "previtem" -> index == 0 ? new Undefined("there is no previous item") : items.get(index - 1);
            case "nextitem" -> left == 1 ? new Undefined("there is no next item") : items.get(index + 1);
            case "cycle" -> (Callable) this::cycle;
            case "changed" -> (Callable) this::changed;
            default -> null;
        };
    }

    private Object cycle(CallArguments arguments) {
        if (arguments.positional().isEmpty()) {
            throw TemplateException.of("loop.cycle: no items for cycling given");
        }
        return arguments.positional().get(index % arguments.positional().size());
    }

    private Object changed(CallArguments arguments) {
        boolean same = lastChanged != null && Values.equal(lastChanged, arguments.positional());
        lastChanged = arguments.positional();
        return !same;
    }

    @Override
    public Object call(CallArguments arguments) {
        if (recursion == null) {
            throw TemplateException.of("the loop is not marked 'recursive'");
        }
        return recursion.apply(arguments.need(0, "items"), depth + 1);
    }
}
