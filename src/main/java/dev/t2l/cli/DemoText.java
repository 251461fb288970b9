package dev.t2l.cli;

import dev.t2l.demo.DemoModels;
import dev.t2l.demo.DemoTasks;
import dev.t2l.demo.LiveTier;
import dev.t2l.hyper.HyperConfig;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** What the demo's results look like in a terminal. */
final class DemoText {
    private static final int MARGIN = 4;
    private static final String RIGHT = "✓ ";
    private static final String WRONG = "✗ ";

    private final Page page;

    DemoText(Page page) {
        this.page = page;
    }

    void opening(DemoModels models) {
        HyperConfig config = models.t2l().config();
        page.out().println(page.bold("T2L for Java: one sentence in, a LoRA adapter out, and the adapted model answers."));
        page.text(0, 0, "Everything from (a) to (e) is computed now, on this machine: " + models.backend().description() + ".");
        page.format(0, "The language model is %s, frozen. The hypernetwork was trained on %d tasks.",
                models.base().path().getFileName(), config.origin().trainTasks().size());
    }

    void fewer() {
        page.text(0, 0, "This is plain Java, slow without the native kernels (a C compiler makes them when T2L is built; t2l doctor tells what is missing): fewer prompts are asked, of fewer tokens.");
    }

    void latencies(LiveTier.Latencies l) {
        page.heading("(a) A sentence becomes an adapter");
        page.text(MARGIN, 1, quoted(l.description()));
        duration("reading the sentence (encoder)", l.median().encode());
        duration("generating " + l.pairs() + " pairs of matrices, " + String.format(Locale.ROOT, "%,d", l.parameters()) + " values", l.median().generate());
        duration("first token of an answer, prompt of " + l.promptTokens() + " tokens", l.median().firstToken());
        duration("in all", l.median().total());
        page.text(MARGIN, 0, String.format(Locale.ROOT, "Medians. The very first adapter of this process took %.0f ms: Java had to warm up.", l.firstAdapter()));
    }

    private void duration(String what, double millis) {
        page.row(MARGIN, new int[] {Math.min(58, page.width() - MARGIN - 14), -8, 2}, List.of(what, String.format(Locale.ROOT, "%.1f", millis), "ms"));
    }

    void tasksBegin(LiveTier.Effort effort) {
        page.heading("(b) Four tasks that it was not trained on, described in words it never saw");
        page.text(MARGIN, 0, "The prompt is the input alone, without instruction. The same prompts go to the base model, to the base with the adapter of the task's own "
                + "description, and to it with the adapter of another task's. They are the first test examples, not chosen; " + RIGHT + "is an accepted answer, word for word.");
    }

    void task(int number, LiveTier.TaskResult result, LiveTier.Effort effort) {
        page.line();
        page.text(2, 2, page.bold(number + " " + result.task().title()) + page.dim("  (" + result.task().name() + ")"));
        page.text(MARGIN, 7, "own:   " + quoted(result.task().description()));
        page.text(MARGIN, 7, "other: " + quoted(result.other().description()));
        int[] widths = columns(0.28, 0.14, 0.20, 0.19, 0.19);
        page.out().println(page.dim(rowText(widths, List.of("prompt", "wanted", "base model", "own adapter", "other's"))));
        result.rows().stream().limit(effort.shown()).forEach(row -> page.row(MARGIN, widths, List.of(row.example().input(), row.example().outputs().getFirst(),
                marked(row.example(), row.base()), marked(row.example(), row.own()), marked(row.example(), row.other()))));
    }

    private String rowText(int[] widths, List<String> cells) {
        var text = new StringBuilder(" ".repeat(MARGIN));
        for (int i = 0; i < widths.length; i++) {
            text.append(String.format("%-" + widths[i] + "s  ", Page.cut(cells.get(i), widths[i])));
        }
        return text.toString().stripTrailing();
    }

    private int[] columns(double... shares) {
        int space = page.share(MARGIN, shares.length);
        return Arrays.stream(shares).mapToInt(share -> (int) (share * space)).toArray();
    }

    private static String marked(DemoTasks.Example example, String answer) {
        return (example.accepts(answer) ? RIGHT : WRONG) + answer;
    }

    void twoWaysBegin() {
        page.heading("(c) One prompt, two descriptions that ask for different things");
    }

    void twoWays(DemoTasks.TwoWays two, List<LiveTier.TwoAnswers> answers) {
        page.line();
        page.text(2, 0, page.bold(two.title()));
        page.text(MARGIN, 7, "one:   " + quoted(two.ways().getFirst().description()));
        page.text(MARGIN, 7, "other: " + quoted(two.ways().getLast().description()));
        int[] widths = columns(0.22, 0.38, 0.38);
        page.out().println(page.dim(rowText(widths, List.of("prompt", "adapter of the one", "adapter of the other"))));
        int[] right = new int[3];
        for (LiveTier.TwoAnswers a : answers) {
            right[(a.first().accepts(a.answerToFirst()) ? 1 : 0) + (a.second().accepts(a.answerToSecond()) ? 1 : 0)]++;
            page.row(MARGIN, widths, List.of(a.first().input(), withWanted(a.first(), a.answerToFirst()), withWanted(a.second(), a.answerToSecond())));
        }
        page.format(MARGIN, "Of these %d prompts, %d got both answers right, %d one of them, %d none.", answers.size(), right[2], right[1], right[0]);
    }

    private static String withWanted(DemoTasks.Example example, String answer) {
        return example.accepts(answer) ? RIGHT + answer : WRONG + answer + " (wanted: " + example.outputs().getFirst() + ")";
    }

    void table(List<LiveTier.TaskResult> results) {
        int prompts = results.getFirst().score().prompts();
        page.heading("(d) All " + prompts + " prompts of each task, those above among them: answered right, in per cent");
        page.text(MARGIN, 0, "A small table: with " + prompts + " prompts a task, one answer is " + 100 / prompts + " points. It is t2l eval that measures.");
        int[] widths = {Math.min(44, page.width() - MARGIN - 45), -10, -12, -16};
        page.out().println(page.dim(" ".repeat(MARGIN) + String.format("%-" + widths[0] + "s  %10s  %12s  %16s", "", "base model", "own adapter", "other's adapter")));
        for (LiveTier.TaskResult r : results) {
            LiveTier.Score s = r.score();
            page.row(MARGIN, widths, List.of(r.task().title(), percent(s.base(), s.prompts()), percent(s.own(), s.prompts()), percent(s.other(), s.prompts())));
        }
    }

    private static String percent(int right, int of) {
        return String.format(Locale.ROOT, "%.0f", 100.0 * right / of);
    }

    void position(LiveTier.Position p) {
        page.text(MARGIN, 2, String.format(Locale.ROOT, "nearest training task: %s, cosine %.2f (the loneliest training task is at %.2f from its nearest)", p.nearest().task(),
                p.nearest().cosine(), p.loneliest()));
        if (p.far()) {
            page.text(MARGIN, 2, page.bold("warning:") + " this lies farther from all training tasks than they lie from each other; the adapter is a guess");
        }
    }

    void noPosition() {
        page.text(MARGIN, 2, "(the checkpoint does not come with the embeddings of its training descriptions: how near they are is not known)");
    }

    void seconds(String what, long start) {
        page.line();
        page.out().println(page.dim(String.format(Locale.ROOT, "%s %.0f s", what, (System.nanoTime() - start) * 1e-9)));
    }

    static String quoted(String text) {
        return "“" + text + "”";
    }
}
