package dev.t2l;

import dev.t2l.model.DecodeSessions;
import dev.t2l.model.Generator;
import dev.t2l.model.Sampler;
import dev.t2l.text.StreamingDecoder;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** One batch of requests, from their text to their text. */
final class Generation {
    private final DecodeSessions sessions;
    private final Set<Integer> ends;
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

        boolean cancelled() {
            return request.cancelled().getAsBoolean() || Thread.currentThread().isInterrupted();
        }

        /** What was held back. */
        void flush() {
            if (!stops.stopped()) {
                emit(stops.accept(utf8.finish()));
                emit(stops.finish());
            }
        }

        Completion completion(long prefillNanos, long decodeNanos) {
            int[] ids = tokens.stream().mapToInt(Integer::intValue).toArray();
            return new Completion(text.toString(), ids, prompt.length, finish == null ? Completion.Finish.LENGTH : finish, prefillNanos, decodeNanos);
        }
    }

    Generation(DecodeSessions sessions, ModelText model, List<Request> requests) {
        this.sessions = sessions;
        this.ends = model.endIds();
        int context = sessions.decoder().config().contextLength();
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
        try (var _ = sessions.decoder().backend().lane(); var generator = new Generator(sessions, sequences())) {
            prefill(generator);
            long first = System.nanoTime();
            decode(generator);
            long end = System.nanoTime();
            return streams.stream().map(s -> s.completion(first - start, end - first)).toList();
        }
    }

    private void prefill(Generator generator) {
        var event = new Events.Prefill();
        event.begin();
        if (!generator.prefill(() -> streams.stream().allMatch(Stream::cancelled))) {
            streams.forEach(s -> s.finish = Completion.Finish.CANCELLED);
        }
        event.sequences = streams.size();
        event.tokens = streams.stream().mapToInt(s -> s.prompt.length).sum();
        event.commit();
    }

    private void decode(Generator generator) {
        var event = new Events.Decode();
        event.begin();
        do {
            advance(generator);
        } while (generator.step());
        event.sequences = streams.size();
        event.tokens = streams.stream().mapToInt(s -> s.tokens.size()).sum();
        event.commit();
    }

    private List<Generator.Sequence> sequences() {
        return streams.stream().map(s -> {
            Sampling how = s.request.sampling();
            var sampler = new Sampler(how.temperature(), how.topK(), how.topP(), how.minP(), how.seed());
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
            if (stream.finish == null && stream.cancelled()) {
                stream.finish = Completion.Finish.CANCELLED;
            }
            if (stream.finish == null) {
                stream.accept(generator.take(i), ends);
            }
            if (stream.finish != null) {
                generator.stop(i);
                stream.flush();
            }
        }
    }
}
