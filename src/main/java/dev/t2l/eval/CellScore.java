package dev.t2l.eval;

import java.util.OptionalDouble;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A column's score for a task by one of its descriptions: a line of {@link EvalLog#RESULTS}.
 *
 * @param description its number from 1; 0 if the column reads none
 * @param text        the description
 * @param examples    that it is the mean over
 * @param score       by generation, 0 to 1
 * @param ended       share of the answers that ended by themselves
 * @param likelihood  the score, 0 to 1, of taking the likeliest option instead ({@link Answer#choice}); empty if the task is no choice
 */
public record CellScore(String column, String task, int description, String text, String metric, int examples, double score, double ended, OptionalDouble likelihood) {
    /** The score by likelihood in the place of that by generation. */
    CellScore byLikelihood() {
        return new CellScore(column, task, description, text, metric, examples, likelihood.orElseThrow(), ended, OptionalDouble.empty());
    }

    Map<String, Object> line() {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("column", column);
        line.put("task", task);
        line.put("description", description);
        line.put("text", text);
        line.put("metric", metric);
        line.put("examples", examples);
        line.put("score", score);
        line.put("ended", ended);
        likelihood.ifPresent(value -> line.put("likelihood", value));
        return line;
    }
}
