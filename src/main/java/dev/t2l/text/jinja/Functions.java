package dev.t2l.text.jinja;

import dev.t2l.text.TemplateException;
import java.time.Clock;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The global functions of a chat template. */
final class Functions {
    private static final int MAX_RANGE = 100_000;

    private Functions() {
    }

    static void defineIn(Scope scope, Clock clock) {
        scope.set("range", (Callable) Functions::range);
        scope.set("namespace", (Callable) Functions::namespace);
        scope.set("dict", (Callable) Functions::dict);
        scope.set("joiner", (Callable) Functions::joiner);
        scope.set("cycler", (Callable) Functions::cycler);
        scope.set("raise_exception", (Callable) arguments -> {
            throw TemplateException.refusal(Printing.str(arguments.need(0, "message")).value());
        });
        scope.set("strftime_now", (Callable) arguments -> Text.template(Strftime.format(arguments.text(0, "format").value(), ZonedDateTime.now(clock))));
    }

    private static Object range(CallArguments arguments) {
        boolean one = arguments.positional().size() == 1;
        long start = one ? 0 : arguments.integer(0, "start", 0);
        long stop = Values.integer(arguments.need(one ? 0 : 1, "stop"), "range");
        long step = arguments.integer(2, "step", 1);
        if (step == 0) {
            throw TemplateException.of("range: the step must not be zero");
        }
        List<Object> numbers = new ArrayList<>();
        for (long n = start; step > 0 ? n < stop : n > stop; n += step) {
            if (numbers.size() == MAX_RANGE) {
                throw TemplateException.of("range: more than " + MAX_RANGE + " numbers");
            }
            Budget.step();
            numbers.add(n);
        }
        return numbers;
    }

    private static Object namespace(CallArguments arguments) {
        Namespace namespace = new Namespace();
        if (!arguments.positional().isEmpty()) {
            Values.iterate(Values.defined(arguments.positional().getFirst())).forEach(key -> namespace.attributes.put(Printing.str(key).value(), Attributes.item(arguments.positional().getFirst(), key)));
        }
        namespace.attributes.putAll(arguments.named());
        return namespace;
    }

    private static Object dict(CallArguments arguments) {
        Map<Object, Object> map = new LinkedHashMap<>();
        if (!arguments.positional().isEmpty()) {
            Object first = Values.defined(arguments.positional().getFirst());
            List<Object> pairs = first instanceof Map<?, ?> other ? Attributes.items(other) : Values.iterate(first);
            for (Object pair : pairs) {
                List<Object> two = Values.iterate(pair);
                if (two.size() != 2) {
                    throw TemplateException.of("dict: wanted pairs of key and value");
                }
                map.put(SequenceFilters.hashable(two.get(0)), two.get(1));
            }
        }
        arguments.named().forEach((name, value) -> map.put(Text.template(name), value));
        return map;
    }

    private static Object joiner(CallArguments arguments) {
        Object separator = arguments.get(0, "sep", Text.template(", "));
        boolean[] used = new boolean[1];
        return (Callable) call -> {
            Object now = used[0] ? separator : Text.EMPTY;
            used[0] = true;
            return now;
        };
    }

    private static Object cycler(CallArguments arguments) {
        List<Object> items = arguments.positional();
        if (items.isEmpty()) {
            throw TemplateException.of("cycler: at least one item has to be provided");
        }
        Namespace cycler = new Namespace();
        int[] place = new int[1];
        cycler.attributes.put("current", items.getFirst());
        cycler.attributes.put("next", (Callable) call -> {
            Object now = items.get(place[0]);
            place[0] = (place[0] + 1) % items.size();
            cycler.attributes.put("current", items.get(place[0]));
            return now;
        });
        cycler.attributes.put("reset", (Callable) call -> {
            place[0] = 0;
            cycler.attributes.put("current", items.getFirst());
            return null;
        });
        return cycler;
    }
}
