package dev.t2l.eval;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a program that an answer completes has to pass: HumanEval's way (Chen et al. 2021).
 *
 * @param begin      what the answer is put behind
 * @param code       that defines {@code check(candidate)}
 * @param entryPoint name of the function that is checked
 * @param prefill    what an answer begins with, unasked: it opens the block that the answer goes on with; empty if the answer is free
 */
public record ProgramTest(String begin, String code, String entryPoint, String prefill) {
    private static final String FENCE = "```";
    private static final Pattern FENCED = Pattern.compile("```(?:[Pp]ython3?|py)?[ \\t]*\\r?\\n(.*?)(?:```|\\z)", Pattern.DOTALL);

    public ProgramTest {
        if (!entryPoint.matches("[A-Za-z_]\\w*")) {
            throw new IllegalArgumentException("an entry point is the name of a function, found '" + entryPoint + "'");
        }
    }

    /** Of an answer that is free to hold a block or be one. */
    public ProgramTest(String begin, String code, String entryPoint) {
        this(begin, code, entryPoint, "");
    }

    /**
     * The program: its beginning, then the answer's first fenced block, or all of an answer without one, or what stands before the end
     * of the block that {@code prefill} opens; then the test, called. A block
     * may go on with the beginning or define its function anew.
     */
    String program(String answer) {
        if (!prefill.isEmpty()) {
            int end = answer.indexOf(FENCE);
            return checked(end < 0 ? answer : answer.substring(0, end));
        }
        Matcher fenced = FENCED.matcher(answer);
        boolean block = fenced.find();
        String given = block ? fenced.group(1) : answer;
        boolean goesOn = given.isEmpty() || Character.isWhitespace(given.charAt(0));
        return checked((goesOn ? "" : "\n") + given);
    }

    private String checked(String given) {
        return begin + given + "\n" + code + "\ncheck(" + entryPoint + ")\n";
    }
}
