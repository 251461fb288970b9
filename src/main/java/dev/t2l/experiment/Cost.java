package dev.t2l.experiment;

import dev.t2l.TextToLora;
import dev.t2l.bench.DecoderShapes;
import dev.t2l.bench.EncoderShape;
import dev.t2l.bench.HyperShape;
import dev.t2l.eval.Column;
import dev.t2l.eval.Columns;
import dev.t2l.experiment.Table.Heading;
import dev.t2l.experiment.Table.Unit;
import dev.t2l.hyper.HyperConfig.Variant;
import dev.t2l.model.DecoderConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/** What the first query of a task and each further one cost, with a generated adapter and with three examples in the prompt. */
final class Cost implements Experiment {
    private static final String SHAPE = "mistral-7b";
    /** {@code <s>[INST]} and {@code [/INST]}. */
    private static final int MISTRAL_TEMPLATE = 8;
    private static final int QUERIES = 50;
    private static final int[] INPUTS = {16, 64, 256, 1024};
    private static final double GIGA = 1e-9;

    @Override
    public String name() {
        return "cost";
    }

    @Override
    public String title() {
        return "Operations and milliseconds of the first and the n-th query of a task, with a generated adapter and with three examples";
    }

    @Override
    public void run(Laboratory lab) {
        List<Column.Asked> shots = LongStream.range(lab.settings().seed(), lab.settings().seed() + QueryLengths.DRAWS)
                .mapToObj(seed -> (Column.Asked) new Columns(seed, 1).withExamples(lab.unseen())).toList();
        QueryLengths own = QueryLengths.of(lab.base(), lab.unseen(), shots, lab.settings().judging().examples(), true);
        QueryLengths bare = QueryLengths.of(lab.base(), lab.unseen(), shots, lab.settings().judging().examples(), false);
        QueryLengths lengths = bare.within(MISTRAL_TEMPLATE);
        TextToLora network = lab.network(lab.subject());
        var milliseconds = lab.timed("measure", () -> new QueryTimes(lab.base(), network, shots.getFirst(), own).measure(lab.unseen()));
        lab.table(List.of(operations(lengths), ways(lengths), byLength(bare), times(milliseconds, own)),
                "Operations are counted from shapes alone, those of products and attention, a multiplication and an addition being two: "
                        + "Mistral-7B, gte-large and the hypernetworks as published. Lengths are means over the unseen tasks and " + lab.settings().judging().examples()
                        + " test examples of each, by the evaluated model's tokenizer, and " + MISTRAL_TEMPLATE + " tokens of chat template: description " + lengths.description()
                        + ", prompt " + lengths.prompt() + ", prompt with description and three examples " + lengths.shots() + ", answer " + lengths.answer()
                        + ". What the paper's comparison supposed is not known here.",
                "With T2L, the first query takes encoder and hypernetwork, too. A prefix is kept where a server holds the keys and values of description and examples "
                        + "for the task's next query; that was not measured. Milliseconds are medians on this machine, of the evaluated model and its hypernetwork, "
                        + "one query at a time, prompt " + own.prompt() + " and " + own.shots() + " tokens.");
        lab.plot(List.of(cumulative("operations, Mistral-7B", "TFLOP", flops(Variant.L, lengths).all(), 1e-12),
                cumulative("seconds, measured", "s", milliseconds.ways(own.answer()), 1e-3)));
    }

    /** @param lengths with chat template */
    static QueryFlops flops(Variant variant, QueryLengths lengths) {
        DecoderConfig model = DecoderShapes.of(SHAPE);
        EncoderShape encoder = EncoderShape.beside(SHAPE);
        return new QueryFlops(model, HyperShape.of(variant, SHAPE, model, encoder.width()), tokens -> encoder.flops(1, tokens), lengths);
    }

    private static Table operations(QueryLengths lengths) {
        var table = new Table("Operations of parts, in GFLOP", List.of(new Heading("part", "part", Unit.PLAIN), new Heading("gflop", "GFLOP", Unit.TENTHS)));
        QueryFlops large = flops(Variant.L, lengths);
        table.add("encoder, " + lengths.description() + " tokens", large.encoder().applyAsDouble(lengths.description()) * GIGA);
        for (Variant variant : List.of(Variant.L, Variant.M, Variant.S)) {
            table.add("hypernetwork " + variant, Flops.generation(flops(variant, lengths).network()) * GIGA);
        }
        table.add("Mistral-7B, a token", Flops.tokens(large.model(), 0, 1) * GIGA);
        table.add("its logits", Flops.logits(large.model()) * GIGA);
        table.add("the adapter, a token", Flops.adapter(large.network()) * GIGA);
        return table;
    }

    private static Table ways(QueryLengths lengths) {
        var table = new Table("A query, Mistral-7B", List.of(new Heading("variant", "T2L", Unit.PLAIN), new Heading("until", "up to", Unit.PLAIN),
                new Heading("first", "first query, GFLOP", Unit.TENTHS), new Heading("next", "n-th", Unit.TENTHS), new Heading("shots", "3-shot, each", Unit.TENTHS),
                new Heading("kept", "n-th, prefix kept", Unit.TENTHS), new Heading("ratio_first", "3-shot / T2L, first", Unit.HUNDREDTHS),
                new Heading("ratio_next", "n-th", Unit.HUNDREDTHS), new Heading("ratio_kept", "n-th, prefix kept", Unit.HUNDREDTHS)));
        for (Variant variant : List.of(Variant.L, Variant.M, Variant.S)) {
            for (int answer : new int[] {1, lengths.answer()}) {
                QueryFlops flops = flops(variant, lengths.answered(answer));
                QueryFlops.Way t2l = flops.generated();
                QueryFlops.Way shots = flops.examples();
                double kept = flops.keptExamples().next();
                table.add(variant.toString(), answer == 1 ? "the first token" : "the answer's end", t2l.first() * GIGA, t2l.next() * GIGA, shots.next() * GIGA, kept * GIGA,
                        shots.first() / t2l.first(), shots.next() / t2l.next(), kept / t2l.next());
            }
        }
        return table;
    }

    /** Examples as long as the query and its answer. */
    private static Table byLength(QueryLengths bare) {
        var table = new Table("First query by length of inputs, examples as long; Mistral-7B, T2L-L", List.of(
                new Heading("input", "input tokens", Unit.COUNT), new Heading("first", "T2L, GFLOP", Unit.TENTHS),
                new Heading("shots", "3-shot", Unit.TENTHS), new Heading("ratio", "3-shot / T2L", Unit.HUNDREDTHS),
                new Heading("ratio_token", "up to the first token", Unit.HUNDREDTHS)));
        for (int input : INPUTS) {
            int shared = bare.description() + 3 * (input + bare.answer());
            QueryLengths lengths = new QueryLengths(bare.description(), input, shared + input, shared, bare.answer()).within(MISTRAL_TEMPLATE);
            QueryFlops flops = flops(Variant.L, lengths);
            QueryFlops token = flops(Variant.L, lengths.answered(1));
            table.add(input, flops.generated().first() * GIGA, flops.examples().first() * GIGA, flops.examples().first() / flops.generated().first(),
                    token.examples().first() / token.generated().first());
        }
        return table;
    }

    private static Table times(QueryTimes.Medians found, QueryLengths lengths) {
        var table = new Table("Milliseconds, measured", List.of(new Heading("way", "way", Unit.PLAIN), new Heading("generate", "description to adapter", Unit.HUNDREDTHS),
                new Heading("token", "to the first token", Unit.HUNDREDTHS), new Heading("decode", "a further token", Unit.HUNDREDTHS),
                new Heading("first", "first query", Unit.HUNDREDTHS), new Heading("next", "n-th", Unit.HUNDREDTHS)));
        List<QueryFlops.Way> ways = found.ways(lengths.answer());
        table.add(ways.get(0).name(), found.generate(), found.prompt(), found.adaptedToken(), ways.get(0).first(), ways.get(0).next());
        table.add(ways.get(1).name(), null, found.shots(), found.token(), ways.get(1).first(), ways.get(1).next());
        return table;
    }

    private static Chart cumulative(String title, String unit, List<QueryFlops.Way> ways, double scale) {
        List<Chart.Series> series = new ArrayList<>();
        List<Double> queries = IntStream.rangeClosed(1, QUERIES).mapToObj(n -> (double) n).toList();
        ways.forEach(way -> series.add(new Chart.Series(way.name(), queries, queries.stream().map(n -> way.total(n.intValue()) * scale).toList())));
        return new Chart.Points(title, "queries of a task", unit, Chart.Style.LINES, series);
    }
}
