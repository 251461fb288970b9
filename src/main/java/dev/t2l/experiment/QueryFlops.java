package dev.t2l.experiment;

import dev.t2l.hyper.HyperConfig;
import dev.t2l.model.DecoderConfig;
import java.util.List;
import java.util.function.IntToDoubleFunction;

/**
 * Operations of answering queries of one task with a generated adapter, and with three examples in the prompt.
 *
 * @param model   the language model
 * @param network the hypernetwork
 * @param encoder operations of reading so many tokens of a description
 * @param lengths of a query
 */
record QueryFlops(DecoderConfig model, HyperConfig network, IntToDoubleFunction encoder, QueryLengths lengths) {
    /**
     * A way of answering.
     *
     * @param first operations of the first query of a task
     * @param next  of each further one
     */
    record Way(String name, double first, double next) {
        /** Of so many queries together. */
        double total(int queries) {
            return first + (queries - 1) * next;
        }
    }

    /** The adapter is generated for the first query and kept: encoder, hypernetwork, the prompt's and the answer's tokens with the adapter. */
    Way generated() {
        double query = query(0, lengths.prompt(), Flops.adapter(network));
        return new Way("T2L", generation() + query, query);
    }

    /** Of the encoder and the hypernetwork. */
    double generation() {
        return encoder.applyAsDouble(lengths.description()) + Flops.generation(network);
    }

    /** Description, three examples and input are read for each query. */
    Way examples() {
        double query = query(0, lengths.shots(), 0);
        return new Way("3-shot", query, query);
    }

    /** As {@link #examples}, with keys and values of what all prompts of the task begin with kept, which takes memory and a server that does so. */
    Way keptExamples() {
        return new Way("3-shot, prefix kept", query(0, lengths.shots(), 0), query(lengths.shared(), lengths.shots(), 0));
    }

    List<Way> all() {
        return List.of(generated(), examples(), keptExamples());
    }

    /** A prompt of which {@code kept} tokens were read before, and an answer, whose last token is not read again. */
    private double query(int kept, int prompt, double adapter) {
        int until = prompt + lengths.answer() - 1;
        return Flops.tokens(model, kept, until) + (until - kept) * adapter + lengths.answer() * Flops.logits(model);
    }
}
