package dev.t2l.eval;

import dev.t2l.LanguageModel;
import dev.t2l.data.ChatPrompts;
import dev.t2l.eval.Question.AdapterOf;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** Turns cells into questions: prompts into tokens, cut on the left where they are too long. */
final class Questions {
    private final ChatPrompts prompts;
    private final TokenLimits limits;
    private final EvalSettings settings;
    private final int context;
    private final String model;

    /** @param model what answers depend on beside prompt, adapter and limit: the base's weights, and who computes */
    Questions(LanguageModel base, String model, EvalSettings settings) {
        this.prompts = new ChatPrompts(base.tokenizer(), base.chatTemplate());
        this.limits = new TokenLimits(prompts, settings.maxNew());
        this.settings = settings;
        this.context = base.config().contextLength();
        this.model = model;
    }

    /** The first examples of a cell's task. */
    List<Question> of(Cell cell) {
        EvalTask task = cell.task();
        int limit = Math.min(limits.of(task), context / 2);
        int count = settings.examples() == 0 ? task.tests().size() : Math.min(settings.examples(), task.tests().size());
        return IntStream.range(0, count).parallel().mapToObj(i -> of(cell, i, limit)).toList();
    }

    private int[] begun(int[] prompt, String prefill) {
        return IntStream.concat(Arrays.stream(prompt), Arrays.stream(prefill.isEmpty() ? new int[0] : prompts.encodeAnswer(prefill))).toArray();
    }

    private Question of(Cell cell, int number, int limit) {
        Asking asking = cell.asking();
        EvalExample example = cell.task().tests().get(number);
        int[] whole = begun(prompts.encode(asking.prompt().apply(example)), cell.task().prefill());
        if (whole.length == 0) {
            throw new IllegalArgumentException("example " + number + " of the task '" + cell.task().name() + "' is an empty prompt");
        }
        List<int[]> options = cell.task().isChoice() ? example.options().stream().map(prompts::encodeAnswer).toList() : List.of();
        int room = context - Math.max(limit, options.stream().mapToInt(option -> option.length).max().orElse(0));
        int most = settings.maxPrompt() == 0 ? room : Math.min(settings.maxPrompt(), room);
        int[] ids = Arrays.copyOfRange(whole, Math.max(0, whole.length - most), whole.length);
        var adapter = new AdapterOf(asking.source(), asking.adapter().apply(example));
        String digest = Fingerprint.of(List.of(model, adapter.source().identity(adapter.text()), adapter.text(), Arrays.toString(ids), Integer.toString(limit), String.join("\0", options.isEmpty() ? List.of() : example.options())));
        return new Question(cell, number, ids, limit, options, adapter, digest);
    }
}
