package dev.t2l;

import dev.t2l.model.Decoder;
import dev.t2l.model.Generator;
import dev.t2l.model.Sampler;
import dev.t2l.text.StreamingDecoder;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** One batch of requests, from their text to their text. */
final class Generation {
    private final Decoder decoder;
    private final List<Stream> streams = new ArrayList<>();

    /** A request's text while it grows. */
    private static final class Stream {
        final Request request;
        final int[] prompt;
        final int limit;
        final StreamingDecoder utf8;
        final StopMatcher stops;
        final StringBuilder text = new StringBuilder();
        final List<Integer> tokens = new ArrayList<>();
        Completion.Finish finish;

        Stream(Request request, int[] prompt, int limit, StreamingDecoder utf8) {
            this.request = request;
            this.prompt = prompt;
            this.limit = limit;
            this.utf8 = utf8;
            this.stops = new StopMatcher(request.sampling().stop());
        }

        void emit(String piece) {
            if (!piece.isEmpty()) {
                text.append(piece);
                request.sink().accept(piece);
            }
        }

        /** Takes a token; sets {@link #finish} when the text is complete. */
        void accept(int token, Set<Integer> ends) {
            tokens.add(token);
            if (ends.contains(token)) {
                finish = Completion.Finish.STOP;
                return;
            }
            emit(stops.accept(utf8.next(token)));
            if (stops.stopped()) {
                finish = Completion.Finish.STOP;
            } else if (tokens.size() == limit) {
                finish = Completion.Finish.LENGTH;
            }
        }

        void flush() {
            if (!stops.stopped()) {
                emit(stops.accept(utf8.finish()));
                emit(stops.finish());
            }
        }
    }

    private final Set<Integer> ends;

    Generation(Decoder decoder, ModelText model, List<Request> requests) {
        this.decoder = decoder;
        this.ends = model.endIds();
        int context = decoder.config().contextLength();
        for (Request request : requests) {
            int[] prompt = request.chat() != null ? model.encode(request.chat()) : model.encode(request.prompt());
            if (prompt.length == 0) {
                throw new IllegalArgumentException("an empty prompt, and the model has no token to begin with");
            }
            if (prompt.length >= context) {
                throw new IllegalArgumentException("the prompt has " + prompt.length + " tokens, the model's context " + context + "; HINT: shorten it");
            }
            int limit = Math.min(request.sampling().maxTokens(), context - prompt.length);
            streams.add(new Stream(request, prompt, limit, model.tokenizer().streamingDecoder(true)));
        }
    }

    List<Completion> run() {
        long start = System.nanoTime();
        try (var generator = new Generator(decoder, sequences())) {
            var prefill = new Events.Prefill();
            prefill.begin();
            generator.prefill();
            long first = System.nanoTime();
            prefill.sequences = streams.size();
            prefill.tokens = streams.stream().mapToInt(s -> s.prompt.length).sum();
            prefill.commit();

            var decode = new Events.Decode();
            decode.begin();
            do {
                advance(generator);
            } while (generator.step());
            long end = System.nanoTime();
            decode.sequences = streams.size();
            decode.tokens = streams.stream().mapToInt(s -> s.tokens.size()).sum();
            decode.commit();
            streams.forEach(Stream::flush);
            return streams.stream().map(s -> new Completion(s.text.toString(), s.tokens.stream().mapToInt(Integer::intValue).toArray(), s.prompt.length,
                    s.finish == null ? Completion.Finish.LENGTH : s.finish, first - start, end - first)).toList();
        }
    }

    private List<Generator.Sequence> sequences() {
        return streams.stream().map(s -> {
            Sampling how = s.request.sampling();
            var sampler = new Sampler(decoder.config().vocabulary(), how.temperature(), how.topK(), how.topP(), how.minP(), how.seed());
            return new Generator.Sequence(s.prompt, s.request.adaptation().entries(), sampler, s.limit);
        }).toList();
    }

    /** Hands each running sequence's newest token to its stream, and ends those that are complete or cancelled. */
    private void advance(Generator generator) {
        for (int i = 0; i < streams.size(); i++) {
            Stream stream = streams.get(i);
            if (!generator.running(i)) {
                continue;
            }
            if (stream.request.cancelled().getAsBoolean() || Thread.currentThread().isInterrupted()) {
                stream.finish = Completion.Finish.CANCELLED;
            } else {
                stream.accept(generator.take(i), ends);
            }
            if (stream.finish != null) {
                generator.stop(i);
            }
        }
    }
}
