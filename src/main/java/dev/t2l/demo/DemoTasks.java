package dev.t2l.demo;

import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.t2l.eval.EvalExample;
import dev.t2l.eval.Metric;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.List;

/**
 * Tasks that the shipped hypernetwork was not trained on, and what is asked of them.
 *
 * @param licence where they come from
 * @param tasks   of the small table
 * @param twoWays sets of prompts that can be asked two things
 */
public record DemoTasks(String licence, List<Task> tasks, List<TwoWays> twoWays) {
    /**
     * A task.
     *
     * @param title        in a few words
     * @param descriptions that no training has seen
     * @param examples     the first of the task's test part, in its order
     */
    public record Task(String name, String title, List<String> descriptions, List<Example> examples) {
        /** The one that is shown. */
        public String description() {
            return descriptions.getFirst();
        }
    }

    /**
     * A prompt with its accepted answers.
     *
     * @param outputs the first is the one that is shown
     */
    public record Example(String input, List<String> outputs) {
        /** Whether an answer is one of the accepted ones, as {@link Metric#EXACT_MATCH} compares them. */
        public boolean accepts(String answer) {
            return Metric.EXACT_MATCH.score(answer, new EvalExample(input, outputs, List.of())) == 1;
        }
    }

    /** Prompts and two valid descriptions, each with the accepted answers. */
    public record TwoWays(String title, List<Way> ways) {
    }

    /**
     * One description of what to do with the prompts.
     *
     * @param examples whose inputs are the same in both ways
     */
    public record Way(String description, List<Example> examples) {
    }

    /** Those that come with the library. */
    public static DemoTasks load() {
        try (InputStream in = DemoTasks.class.getResourceAsStream("tasks.json")) {
            return new JsonMapper().readValue(in, DemoTasks.class);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
