package dev.t2l.eval;

import dev.t2l.LanguageModel;
import dev.t2l.data.ChatPrompts;
import dev.t2l.eval.Question.AdapterOf;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;

/** Turns cells into questions: prompts into tokens, cut on the left where they are too long. */
final class Questions {
    private final ChatPrompts prompts;
    private final TokenLimits limits;
    private final EvalSettings settings;
    private final int context;
    private final String model;
    private final Map<String, int[]> inputs = new ConcurrentHashMap<>();  // of examples, which many columns ask as they are
    private final Map<String, int[]> answers = new ConcurrentHashMap<>(); // options

    /** @param model what answers depend on beside prompt, adapter and limit: the base's weights, and who computes */
    Questions(LanguageModel base, String model, EvalSettings settings, ChatPrompts prompts) {
        this.prompts = prompts;
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

    /** Token ids of the prompt and what the answer begins with. */
    private int[] begun(Asking asking, EvalTask task, EvalExample example) {
        String prompt = asking.prompt().apply(example);
        int[] ids = prompt.equals(example.input()) ? inputs.computeIfAbsent(example.input(), prompts::encode) : prompts.encode(prompt);
        String prefill = !asking.prefill().isEmpty() ? asking.prefill() : example.test().map(ProgramTest::prefill).filter(begin -> !begin.isEmpty()).orElse(task.prefill());
        return prefill.isEmpty() ? ids : IntStream.concat(Arrays.stream(ids), Arrays.stream(prompts.encodeAnswer(prefill))).toArray();
    }

    private int[] answer(String option) {
        return answers.computeIfAbsent(option, prompts::encodeAnswer);
    }

    private Question of(Cell cell, int number, int limit) {
        Asking asking = cell.asking();
        EvalExample example = cell.task().tests().get(number);
        int[] whole = begun(asking, cell.task(), example);
        if (whole.length == 0) {
            throw new IllegalArgumentException("example " + number + " of the task '" + cell.task().name() + "' is an empty prompt");
        }
        List<int[]> options = cell.task().isChoice() ? example.options().stream().map(this::answer).toList() : List.of();
        int room = context - Math.max(limit, options.stream().mapToInt(option -> option.length).max().orElse(0));
        int most = settings.maxPrompt() == 0 ? room : Math.min(settings.maxPrompt(), room);
        int[] ids = Arrays.copyOfRange(whole, Math.max(0, whole.length - most), whole.length);
        var adapter = new AdapterOf(asking.source(), asking.adapter().apply(example));
        String digest = Fingerprint.of(List.of(model, adapter.source().identity(adapter.text()), adapter.text(), Arrays.toString(ids), Integer.toString(limit),
                String.join("\0", options.isEmpty() ? List.of() : example.options())));
        return new Question(cell, number, ids, limit, options, adapter, digest);
    }
}
