package dev.t2l.eval;

import com.fasterxml.jackson.databind.JsonNode;
import dev.t2l.data.JsonLines;
import dev.t2l.io.FolderLock;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.StreamSupport;

/**
 * An evaluation's folder: every answer, and every score as soon as its last answer is there. An answer is found again by the digest of all
 * that it depends on, so that a run that was stopped, or asks for more columns, tasks or examples, asks only what is new. Of a damaged file,
 * what the damaged lines held is asked again.
 */
final class EvalLog implements AutoCloseable {
    static final String ANSWERS = "answers.jsonl";
    static final String RESULTS = "results.jsonl";

    private final Scores scores;
    private final FolderLock lock;
    private final JsonLines answers;
    private final JsonLines results;
    private final Map<String, Answer> known = new HashMap<>();
    private final Set<String> kept = new HashSet<>();     // questions whose answer has its line
    private final Set<Map<String, Object>> scored = new HashSet<>();

    /** @throws IllegalStateException if another evaluation is writing there */
    EvalLog(Path folder, Scores scores) {
        this.scores = scores;
        try {
            Files.createDirectories(folder);
            lock = FolderLock.of(folder);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        answers = new JsonLines(folder.resolve(ANSWERS));
        results = new JsonLines(folder.resolve(RESULTS));
        for (JsonNode line : JsonLines.read(folder.resolve(ANSWERS), line -> line.hasNonNull("digest") && line.hasNonNull("answer"))) {
            known.put(line.path("digest").textValue(), new Answer(line.path("answer").textValue(), line.path("tokens").intValue(), line.path("ended").booleanValue(),
                    StreamSupport.stream(line.path("likelihoods").spliterator(), false).map(JsonNode::doubleValue).toList()));
            if (line.path("program").isTextual()) {
                scores.known(line.path("program").textValue(), line.path("score").doubleValue());
            }
            kept.add(key(line.path("column").textValue(), line.path("task").textValue(), line.path("description").intValue(), line.path("example").intValue(),
                    line.path("digest").textValue()));
        }
        JsonLines.read(folder.resolve(RESULTS), line -> line.hasNonNull("column")).forEach(line -> scored.add(values(line)));
    }

    private static Map<String, Object> values(JsonNode line) {
        Map<String, Object> values = new LinkedHashMap<>();
        line.properties().forEach(e -> values.put(e.getKey(), e.getValue().isTextual() ? e.getValue().textValue() : e.getValue().isInt() ? e.getValue().intValue()
                : (Object) e.getValue().doubleValue()));
        return values;
    }

    private static String key(Object... parts) {
        return String.join("\0", Arrays.stream(parts).map(String::valueOf).toList());
    }

    /** The answer, if it is known. */
    Optional<Answer> answer(Question question) {
        return Optional.ofNullable(known.get(question.digest()));
    }

    /** Keeps answers, in one write; those that are kept already are left out. */
    void add(List<Question> questions, List<Answer> given) {
        List<Map<String, Object>> lines = new ArrayList<>();
        List<Double> scored = scores.of(questions, given);
        for (int i = 0; i < given.size(); i++) {
            Question question = questions.get(i);
            Cell cell = question.cell();
            known.put(question.digest(), given.get(i));
            if (kept.add(key(cell.column().name(), cell.task().name(), cell.number(), question.number(), question.digest()))) {
                Map<String, Object> line = new LinkedHashMap<>();
                line.put("column", cell.column().name());
                line.put("task", cell.task().name());
                line.put("description", cell.number());
                line.put("example", question.number());
                line.put("digest", question.digest());
                line.put("answer", given.get(i).text());
                line.put("tokens", given.get(i).tokens());
                line.put("ended", given.get(i).ended());
                line.put("score", scored.get(i));
                if (cell.task().metric() == Metric.PASS_AT_1) {
                    line.put("program", Scores.fingerprint(question, given.get(i)));
                }
                if (given.get(i).choice().isPresent()) {
                    line.put("likelihoods", given.get(i).likelihoods());
                    line.put("choice", question.example().options().get(given.get(i).choice().getAsInt()));
                }
                lines.add(line);
            }
        }
        if (!lines.isEmpty()) {
            answers.addAll(lines);
        }
    }

    /** Keeps a score, unless it is there. */
    void add(CellScore score) {
        Map<String, Object> line = score.line();
        if (scored.add(line)) {
            results.add(line);
        }
    }

    @Override
    public void close() {
        answers.close();
        results.close();
        lock.close();
    }
}
